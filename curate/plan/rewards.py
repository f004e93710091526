"""Where rewards come from: parses `--reward`, checks it against the data, and builds readers of score columns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from curate.errors import RowError, SettingsError, did_you_mean
from curate.model import Model
from curate.readers import Row
from curate.readers.parts.scores import number
from curate.schema import Record
from curate.scorers.function_reward import find_function

SOURCE_NAME = re.compile(r"^([A-Za-z][\w-]*)=(.+)$", re.DOTALL)
FROM_DATA = "columns"
JUDGE = "judge:"
RewardsOf = Callable[[Row], tuple[float | None, ...]]


@dataclass(frozen=True)
class RewardSource:
    """One `--reward`: its name, where it comes from, and whether the user gave the name."""

    name: str
    kind: Literal["columns", "model", "function", "judge"]
    target: str
    named: bool

    @cached_property
    def model(self) -> Model:
        """The reward model or judge."""
        return Model.of(self.target)

    def facts(self) -> list[str]:
        """What identifies the source, wherever its model or file is."""
        return [self.name, self.kind, self.model.short if self.kind in ("model", "judge") else self.target]


def plan_rewards(specs: Sequence[str], rows: Sequence[Row], sample: Sequence[Record]) -> list[RewardSource]:
    """The reward sources; if the user gives none, the rewards in the data, if any.

    Raises:
        SettingsError: two sources of the same name, missing columns, or a function that cannot be imported.
    """
    in_data = any("reward" in record.measured for record in sample)
    sources = [parse_reward(spec) for spec in specs]
    if not sources and in_data:
        sources = [RewardSource("data", "columns", "", named=False)]
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(
                f"Two reward sources are called {name}.", setting="reward", hint="Name each: --reward=NAME=SPEC."
            )
    for source in sources:
        _check_source(source, rows, in_data)
    if sum(source.kind == "columns" for source in sources) > 1:
        raise SettingsError(
            "Only one reward source can be columns.", setting="reward", hint="Score twice to combine two."
        )
    return sources


def _check_source(source: RewardSource, rows: Sequence[Row], in_data: bool) -> None:
    if source.kind == "function":
        find_function(source.target)
    elif source.kind == "columns" and not source.target and not in_data:
        raise SettingsError(
            "The data has no score columns with a known name.",
            f"columns: {', '.join(rows[0])}",
            "Name them: --reward=columns:CHOSEN,REJECTED.",
        )
    elif source.kind == "columns":
        for column in _columns(source):
            if not any(column in row for row in rows):
                raise SettingsError(
                    f"The data has no column {column}.",
                    setting="reward",
                    value=f"columns:{source.target}",
                    hint=did_you_mean(column, list(rows[0])),
                )


def parse_reward(spec: str) -> RewardSource:
    """Parse `--reward`: [NAME=]columns[:CHOSEN,REJECTED] | python:MODULE:FUNCTION | judge:MODEL | MODEL."""
    match = SOURCE_NAME.match(spec)
    name, target = (match[1], match[2]) if match else ("", spec)
    if target == FROM_DATA or target.startswith(FROM_DATA + ":"):
        return RewardSource(name or "data", "columns", target.removeprefix(FROM_DATA).removeprefix(":"), bool(name))
    if target.startswith("python:"):
        function = target.removeprefix("python:")
        return RewardSource(name or function.rpartition(":")[2], "function", function, bool(name))
    kind: Literal["model", "judge"] = "judge" if target.startswith(JUDGE) else "model"
    target = target.removeprefix(JUDGE)
    return RewardSource(name or _default_name(target), kind, target, bool(name))


def _default_name(target: str) -> str:
    """The last part of a model's path, hub id or name on its server; it does not depend on how the model is reached."""
    model = Model.of(target)
    last = (model.path if model.kind == "server" else target).rstrip("/").rpartition("/")[2]
    return re.sub(r"\W+", "_", Path(target).resolve().name if last in ("", ".", "..") else last)


def _columns(source: RewardSource) -> list[str]:
    return [part.strip() for part in source.target.split(",") if part.strip()]


def named_columns(sources: Sequence[RewardSource]) -> list[str]:
    """The score columns that the user named."""
    return [column for one in sources if one.kind == "columns" and one.target for column in _columns(one)]


def rewards_reader(sources: Sequence[RewardSource], as_pairs: bool) -> RewardsOf | None:
    """A reader of one row's rewards from the columns that the user named; None if none are named."""
    source = next((one for one in sources if one.kind == "columns" and one.target), None)
    if source is None:
        return None
    columns = _columns(source)
    if len(columns) != (2 if as_pairs else 1):
        raise SettingsError(
            "Pairs have two score columns, candidates one column of lists.",
            setting="reward",
            value=f"columns:{source.target}",
            hint="Use --reward=columns:CHOSEN,REJECTED for pairs, --reward=columns:SCORES for candidates.",
        )

    def read(row: Row) -> tuple[float | None, ...]:
        if as_pairs:
            return tuple(number(row.get(column)) for column in columns)
        values = row.get(columns[0])
        try:
            values = json.loads(values) if isinstance(values, str) else values
        except (ValueError, RecursionError) as error:
            raise RowError(f"{columns[0]} is not a list of scores") from error
        if not isinstance(values, Sequence):
            raise RowError(f"{columns[0]} is not a list of scores")
        return tuple(number(value) for value in values)

    return read
