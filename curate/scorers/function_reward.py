"""Rewards from a Python function: `--reward python:MODULE:FUNCTION`."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import math
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.errors import SettingsError, did_you_mean, first_line
from curate.scorers import ResponseItem, Scored

CALL_SIZE = 256


def find_function(target: str) -> Callable[[list[dict[str, Any]]], Sequence[float]]:
    """The function that `MODULE:FUNCTION` names; the working folder is searched too.

    Raises:
        SettingsError: there is no such module or function.
    """
    module_name, _, name = target.partition(":")
    if not (module_name and name):
        raise SettingsError(
            "A Python reward is spelled python:MODULE:FUNCTION.", f"--reward python:{target}", "python:my_rewards:score"
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        # Whatever the user's module raises while it is imported is the user's to mend.
        raise SettingsError(
            f"The module {module_name} cannot be imported: {type(error).__name__}: {first_line(error)}",
            f"--reward python:{target}",
            "Import it in Python to see more; check PYTHONPATH.",
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value)]
        raise SettingsError(
            f"{module_name} has no function {name}.", f"--reward python:{target}", did_you_mean(name, known)
        )
    return function  # type: ignore[no-any-return]


@dataclass
class FunctionReward:
    """Calls a function with lists of {prompt, response}; it returns as many numbers. None and NaN become null."""

    name: str
    target: str

    @property
    def title(self) -> str:
        """The function."""
        return f"reward {self.target}"

    @property
    def schema(self) -> pa.Schema:
        """Types of what it yields."""
        return pa.schema([("reward", pa.float64())])

    def open(self) -> list[str]:
        """Import the function."""
        self._function = find_function(self.target)
        return []

    def score(self, items: Sequence[ResponseItem], done: Container[int]) -> Iterator[Scored]:
        """Call the function on batches of 256 in the items' order."""
        for start in range(0, len(items), CALL_SIZE):
            batch = items[start : start + CALL_SIZE]
            keys = [item.key for item in batch]
            if all(key in done for key in keys):
                continue
            given = [{"prompt": [dict(m) for m in item.prompt], "response": item.response} for item in batch]
            yield Scored(keys, {"reward": self._checked(self._function(given), len(batch))})

    def _checked(self, values: Sequence[Any], wanted: int) -> list[float | None]:
        where = f"--reward python:{self.target}"
        try:
            numbers = [None if value is None else float(value) for value in values]
        except (TypeError, ValueError, OverflowError) as error:
            raise SettingsError(f"The reward function returned no number: {error}.", where, "Return floats.") from error
        if len(numbers) != wanted:
            raise SettingsError(
                f"The reward function returned {len(numbers)} values for {wanted} responses.", where, "Return one each."
            )
        return [value if value is not None and math.isfinite(value) else None for value in numbers]

    def facts(self) -> dict[str, Any]:
        """The function's name, and a hash of its module's source: an edited function gives other numbers."""
        source = inspect.getsourcefile(find_function(self.target))
        content = Path(source).read_bytes() if source else b""
        return {"function": self.target, "source_hash": hashlib.blake2b(content, digest_size=16).hexdigest()}

    def close(self) -> None:
        """Nothing to free."""
