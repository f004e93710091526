"""What a selection did with a row: its rule, the cut, and how far the row is from it; decided again from its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curate.errors import SettingsError, as_option
from curate.readers.files.streams import fingerprint
from curate.readers.files.table import Table, open_table
from curate.selection.checking import check_select
from curate.selection.decision import Decision, decide
from curate.selection.filters import group_column
from curate.selection.values import high_first, ranking_values
from curate.settings import SelectSettings, make
from curate.writers.history import manifests_of


@dataclass(frozen=True)
class Verdict:
    """What a selection did with the pair.

    Attributes:
        reason: why it was not kept; None if it was.
        rule: the selection's settings, as the command line spells them.
        by: what ranked the rows, None without a ranking.
        value: the pair's value of it.
        cut: the worst value kept.
        distance: how far the pair is beyond the cut, in units of the metric; negative if it falls short.
        rank: the pair's place among the rows with a value (with `--per`, in its group), the best first, from 1.
        ranked: how many these are.
    """

    reason: str | None
    rule: str
    by: str | None
    value: float | None
    cut: float | None
    distance: float | None
    rank: int | None
    ranked: int


def against_cut(
    values: np.ndarray, kept: np.ndarray, row: int, best_high: bool
) -> tuple[float | None, float | None, float | None, int | None, int]:
    """The pair's value, the cut, the distance between them, the pair's rank, and how many rows have one."""
    ranked = int(np.isfinite(values).sum())
    among = values[kept & np.isfinite(values)]
    cut = float(among.min() if best_high else among.max()) if among.size else None
    value = float(values[row])
    if np.isnan(value):
        return None, cut, None, None, ranked
    distance = None if cut is None else (value - cut) * (1 if best_high else -1)
    better = values > value if best_high else values < value
    return value, cut, distance, 1 + int(better.sum()), ranked


def spelled(given: Mapping[str, Any]) -> str:
    """Settings as options of the command line."""
    words = []
    for name, value in given.items():
        if name == "options":
            set_to = [f"{metric}.{key}={one}" for metric, own in value.items() for key, one in own.items()]
            words += [as_option(name, one) for one in set_to]
        elif value is True:
            words.append(as_option(name))
        elif isinstance(value, Mapping):
            words.append(as_option(name, ",".join(f"{key}={one:g}" for key, one in value.items())))
        elif value is not False:
            text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            shown = f'"{text}"' if " " in text else text
            words.append(as_option(name, shown))
    return " ".join(words)


@dataclass(frozen=True)
class Again:
    """A selection and the table that it was made from.

    Attributes:
        rule: its settings, as the command line spells them.
        settings: complete.
        values: what ranked the rows: float64 [rows], NaN where missing; None without a ranking.
    """

    table: Table
    rule: str
    settings: SelectSettings
    values: np.ndarray | None
    decision: Decision

    def verdict(self, row: int) -> Verdict:
        """What the selection did with this row."""
        reason = None if self.decision.mask[row] else str(self.decision.reasons_of(row, 1)[0])
        values = self.values
        if values is None:
            return Verdict(reason, self.rule, None, None, None, None, None, 0)
        if self.settings.per is not None:
            groups = group_column(self.table, self.settings.per)
            values = np.where(groups.eq_missing(groups[row]).to_numpy(), values, np.nan)
        placed = against_cut(values, self.decision.mask, row, high_first(self.settings))
        return Verdict(reason, self.rule, self.settings.by, *placed)


def selection_of(manifests: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The manifest of the selection that wrote a file; None if another command did."""
    return next((one for one in manifests if one.get("command") == "select"), None)


def source_of(selected: Path) -> tuple[str, ...]:
    """The files that a selection was made from, if they are still next to it.

    Raises:
        SettingsError: they are not, or it was not written by `curate select`.
    """
    made = selection_of(manifests_of(open_table((str(selected),), Path("unused"))))
    files = [(selected.parent / one["name"], one) for one in (made or {}).get("inputs", []) if "name" in one]
    if files and all(path.is_file() and fingerprint(path) == one for path, one in files):
        return tuple(str(path) for path, _ in files)
    if not files:
        raise SettingsError(
            "It was not written by `curate select`, so nothing was left out of it.",
            str(selected),
            f"To show what a selection left out: `curate show {selected} --selected KEPT.parquet --left-out`.",
        )
    names = ", ".join(path.name for path, _ in files)
    raise SettingsError(
        f"The table that it was selected from ({names}) is not next to it, or has changed.",
        str(selected),
        f"Name both: `curate show SCORED --selected {selected} --left-out`.",
    )


def decided_again(table: Table, selected: Path, data: Sequence[str], metrics: Sequence[Path] = ()) -> Again:
    """Decide as the selection did.

    Args:
        table: the rows that it was made from.
        selected: the file of the rows that it kept.
        data: the names of the table's files.
        metrics: files of metrics that it used.

    Raises:
        SettingsError: it was not written by `curate select`, or not made from this table.
    """
    made = selection_of(manifests_of(open_table((str(selected),), Path("unused"))))
    if made is None:
        raise SettingsError(
            "This file was not written by `curate select`.",
            setting="selected",
            value=selected,
            hint="Give the file of the rows that it kept.",
        )
    given = {key: value for key, value in made["settings"].items() if key not in ("preset", "metrics")}
    again = make(SelectSettings, {**given, "data": data, "out": "unused", "metrics": metrics})
    again, end, amount = check_select(again)
    values = ranking_values(table, again).values
    decision = decide(table, again, values, end, amount)
    before, now = (made["rows"]["kept"], made["rows"]["in"]), (decision.kept, decision.mask.size)
    if before != now:
        raise SettingsError(
            "It kept {:,} of {:,} rows; from this table it would keep {:,} of {:,}.".format(*before, *now),
            setting="selected",
            value=selected,
            hint="Give the table that it was made from.",
        )
    return Again(table, spelled(given), again, values, decision)
