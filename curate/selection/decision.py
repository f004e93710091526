"""Which rows of a table `curate select` keeps, and why it drops the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import polars as pl

from curate.readers.files.table import Table
from curate.selection.filters import eligible, groups_of, ranking_frame, tie_breakers
from curate.selection.pick import Amount, End, divided, pick, pick_whole
from curate.selection.values import high_first
from curate.settings import SelectSettings

REASON = "reject_reason"


@dataclass(frozen=True)
class Decision:
    """Which rows are kept, and why the others are not.

    Attributes:
        mask: bool [rows].
        alive: the eligible rows, among which the values decide: bool [rows].
        codes: the number of the reason why each row is dropped, 0 if it is kept: uint8 [rows].
        reasons: the reasons by number.
        short: the groups that have fewer rows than their weight gives them: how many they should have, and have.
    """

    mask: np.ndarray
    alive: np.ndarray
    codes: np.ndarray
    reasons: list[str]
    short: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """The number of rows kept."""
        return int(self.mask.sum())

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows dropped, by reason, most frequent first."""
        counted: Counter[str] = Counter()
        for code, reason in enumerate(self.reasons[1:], 1):
            counted[reason] += int((self.codes == code).sum())
        return {reason: rows for reason, rows in counted.most_common() if rows}

    def reasons_of(self, first: int, rows: int) -> pl.Series:
        """The reasons of consecutive rows."""
        return pl.Series(REASON, self.reasons).gather(self.codes[first : first + rows])


def decide(
    table: Table, settings: SelectSettings, values: np.ndarray | None, end: End, amount: Amount | None
) -> Decision:
    """Which rows to keep: conditions first, then the best values.

    Args:
        table: the rows.
        settings: complete, its preset resolved.
        values: float64 [rows], NaN where missing; None without a ranking.
        end: which end of the ranking to keep.
        amount: how much of it; None for all that meet the conditions.
    """
    best_high = high_first(settings)
    left = eligible(table, settings, values, best_high)
    groups = None if settings.per is None else groups_of(table, settings)
    alive = left.alive.copy()
    short: dict[str, tuple[int, int]] = {}
    if amount is None or values is None:
        kept = left.alive.copy()
    elif groups is not None:
        frame = ranking_frame(table, left.alive, values, groups)
        parts = divided(amount.asked(int(alive.sum())), settings.per_weights) if settings.per_weights else amount
        kept = np.zeros(table.rows, bool)
        kept[pick(frame, end, parts, high_first=best_high).to_numpy()] = True
        short = _short(parts, groups.filter(pl.Series(kept)))
    else:
        ties = partial(tie_breakers, table)
        kept = pick_whole(values, left.alive, ties, end, amount, high_first=best_high)
    if values is not None:
        kept &= _within(values, settings)
        left.drop(~kept & np.isnan(values), f"no value of {settings.by}")
    left.drop(~kept, f"not within {_bounds(settings)}")
    return Decision(kept, alive, left.codes, left.reasons, short)


def _short(parts: Amount | Mapping[str, int], kept: pl.Series) -> dict[str, tuple[int, int]]:
    """The groups that have fewer rows than their part: the part, and the rows kept."""
    if isinstance(parts, Amount):
        return {}
    counted = Counter(kept.to_list())
    return {name: (part, counted[name]) for name, part in sorted(parts.items()) if counted[name] < part}


def _within(values: np.ndarray, settings: SelectSettings) -> np.ndarray:
    inside: np.ndarray = ~np.isnan(values)
    if settings.above is not None:
        inside &= values > settings.above
    if settings.below is not None:
        inside &= values < settings.below
    return inside


def _bounds(settings: SelectSettings) -> str:
    shown = {name: getattr(settings, name) for name in ("top", "bottom", "middle", "above", "below")}
    told = " ".join(f"--{name} {value}" for name, value in shown.items() if value is not None)
    return f"{told} by weight" if settings.per_weights else told
