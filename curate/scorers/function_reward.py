"""Rewards from a Python function: `--reward python:MODULE:FUNCTION`."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import math
import sys
import traceback
from collections.abc import Callable, Container, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from curate.errors import SettingsError, did_you_mean, first_line, last_line
from curate.registry import search_working_folder
from curate.scorers import ResponseItem, Scored

CALL_SIZE, SHOWN = 256, 60
WANTED = (
    "It is called as function(batch: list[dict]) -> list[float]; each dict has prompt (a list of messages) and "
    "response (text)."
)


def find_function(target: str) -> Callable[[list[dict[str, Any]]], Sequence[float]]:
    """The function that `MODULE:FUNCTION` names; also searches the working folder.

    Raises:
        SettingsError: there is no such module or function.
    """
    module_name, _, name = target.partition(":")
    if not (module_name and name):
        raise SettingsError(
            "A Python reward is spelled python:MODULE:FUNCTION.",
            setting="reward",
            value=f"python:{target}",
            hint="For example: --reward=python:my_rewards:score",
        )
    search_working_folder()
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        # Whatever the user's module raises on import is for the user to fix.
        raise SettingsError(
            f"The module {module_name} cannot be imported: {type(error).__name__}: {first_line(error)}",
            setting="reward",
            value=f"python:{target}",
            hint="Import it in Python to see more; check PYTHONPATH.",
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value)]
        raise SettingsError(
            f"{module_name} has no function {name}.",
            setting="reward",
            value=f"python:{target}",
            hint=did_you_mean(name, known),
        )
    _check_callable(function, target)
    return function  # type: ignore[no-any-return]


def _check_callable(function: Callable[..., Any], target: str) -> None:
    """Refuse, before calling it, a function that cannot have been written to rate responses.

    Raises:
        SettingsError: it is part of Python, or does not take one list.
    """
    inner = function.func if isinstance(function, partial) else function
    home = sys.modules.get(getattr(inner, "__module__", None) or "")
    pythons_own = inspect.isbuiltin(inner) or (inspect.isroutine(inner) and _is_pythons_own(home))
    if pythons_own or inspect.isclass(inner):
        raise _refused("This is not a function that rates responses.", target)
    try:
        inspect.signature(function).bind([])
    except TypeError as error:
        raise _refused(f"The reward function cannot be called with one list: {error}.", target) from error
    except ValueError:
        return  # written in another language, so it has no signature


def _refused(what: str, target: str) -> SettingsError:
    return SettingsError(what, setting="reward", value=f"python:{target}", hint=WANTED)


def _is_pythons_own(module: ModuleType | None) -> bool:
    """Whether a module came with Python; one of the user's modules may have the same name."""
    if module is None or module.__name__.partition(".")[0] not in sys.stdlib_module_names | {"builtins"}:
        return False
    file = getattr(module, "__file__", None)
    return file is None or not Path(file).resolve().is_relative_to(Path.cwd())


@dataclass
class FunctionReward:
    """Calls a function with lists of {prompt, response}; it returns one number for each. None and NaN become null."""

    name: str
    target: str

    @property
    def title(self) -> str:
        """Which function."""
        return f"reward {self.target}"

    @property
    def schema(self) -> pa.Schema:
        """Types of the columns."""
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
            yield Scored(keys, {"reward": self._checked(self._called(given), len(batch))})

    def _called(self, given: list[dict[str, Any]]) -> Any:
        try:
            return self._function(given)
        except Exception as error:
            # Whatever the user's function raises is for the user to fix.
            place = traceback.extract_tb(error.__traceback__)[-1]
            raise SettingsError(
                f"The reward function {self.target} raised {type(error).__name__}: {last_line(error)}",
                f"{place.filename}:{place.lineno}, in {place.name}",
                WANTED,
                setting="reward",
                value=f"python:{self.target}",
            ) from error

    def _checked(self, values: Any, wanted: int) -> list[float | None]:
        listed = hasattr(values, "__len__") and hasattr(values, "__iter__")
        if not listed or isinstance(values, str | bytes | Mapping | Set):
            raise self._wrong(f"{_shown(values)}, not a list of numbers")
        if len(values) != wanted:
            raise self._wrong(f"{len(values)} values for {wanted} responses")
        return [self._number(value) for value in values]

    def _number(self, value: Any) -> float | None:
        if value is None:
            return None
        if isinstance(value, str | bytes):
            raise self._wrong(f"{_shown(value)}, which is not a number")
        try:
            found = float(value)
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            raise self._wrong(f"{_shown(value)}, which is not a number") from error
        return found if math.isfinite(found) else None

    def _wrong(self, what: str) -> SettingsError:
        return _refused(f"The reward function returned {what}.", self.target)

    def facts(self) -> dict[str, Any]:
        """The function's name, and a hash of its module's source, because an edited function gives other numbers."""
        function = find_function(self.target)
        of_file = inspect.isroutine(function) or inspect.ismethod(function)
        source = inspect.getsourcefile(function if of_file else sys.modules[self.target.partition(":")[0]])
        content = Path(source).read_bytes() if source else b""
        return {"function": self.target, "source_hash": hashlib.blake2b(content, digest_size=16).hexdigest()}

    def close(self) -> None:
        """Nothing to free."""


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= SHOWN else text[:SHOWN] + '...'}"
