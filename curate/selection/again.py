"""A selection decided again from the table that it was made from, which gives the reason for every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curate.errors import SettingsError
from curate.readers.files.streams import fingerprint
from curate.readers.files.table import Table, open_table
from curate.selection.checking import check_select
from curate.selection.decision import Decision, decide
from curate.selection.filters import group_column
from curate.selection.values import high_first, ranking_values
from curate.selection.verdict import Verdict, against_cut, spelled
from curate.settings import SelectSettings, make
from curate.writers.history import manifests_of


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
