"""Which rows to keep: shares and counts, ranks with deterministic ties. Knows nothing of files.

A table without groups needs only the values at the cuts, found without sorting: a hundred million rows take one copy
of their values, and tie-breakers are read only for rows that tie at a cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import polars as pl

from curate.errors import SettingsError

End = Literal["top", "bottom", "middle"]
TieBreakers = Callable[[np.ndarray], pl.Series]
"""Maps ascending row numbers to what breaks ties between these rows, smallest first."""


@dataclass(frozen=True)
class Amount:
    """How many rows to keep: a share or a count."""

    share: Fraction | None = None
    count: int | None = None

    def of(self, rows: int) -> int:
        """floor(share * rows), exactly; or the count, capped at `rows`."""
        return min(self.asked(rows), rows)

    def asked(self, rows: int) -> int:
        """The same, but a count may be more than there are."""
        return int(self.share * rows) if self.share is not None else self.count or 0


def parse_amount(text: str, setting: str) -> Amount:
    """Parse `10%`, `2.5%` or a count, given for a setting.

    Raises:
        SettingsError: anything else, or a share outside (0%, 100%].
    """
    spelled = text.strip()
    try:
        if spelled.endswith("%"):
            share = Fraction(spelled[:-1].strip()) / 100
            if 0 < share <= 1:
                return Amount(share=share)
        elif int(spelled) > 0:
            return Amount(count=int(spelled))
    except (ValueError, ZeroDivisionError):
        pass
    raise SettingsError(
        f"{text!r} is neither a share nor a count of rows.",
        setting=setting,
        value=text,
        hint=f"For example: --{setting}=10% or --{setting}=500.",
    )


def ranked(frame: pl.DataFrame, *, high_first: bool) -> pl.DataFrame:
    """The rows by value, best first; ties by `tie`, then by row; null values last.

    Args:
        frame: has columns `row`, `value` and `tie`.
        high_first: whether a larger value is better.
    """
    return frame.sort(
        ["value", "tie", "row"], descending=[high_first, False, False], nulls_last=True, maintain_order=True
    )


def best_of_each(frame: pl.DataFrame, key: str, *, high_first: bool) -> pl.DataFrame:
    """Only the best of the rows that share a key."""
    return ranked(frame, high_first=high_first).unique(key, keep="first", maintain_order=True)


def divided(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Divide a number of rows between groups by their weights, so that the parts add up to it.

    Each group gets the whole part of its exact share, and those with the largest remainders one more; equal remainders
    go by the groups' names.
    """
    exact = {name: Fraction(str(weight)) for name, weight in weights.items()}
    shares = {name: total * weight / sum(exact.values()) for name, weight in exact.items()}
    found = {name: int(share) for name, share in shares.items()}
    for name in sorted(found, key=lambda one: (found[one] - shares[one], one))[: total - sum(found.values())]:
        found[name] += 1
    return found


def pick(frame: pl.DataFrame, end: End, amount: Amount | Mapping[str, int], *, high_first: bool) -> pl.Series:
    """The `row` numbers of the best, worst or middle rows of each group; rows without a value are never picked.

    Args:
        frame: has columns `row`, `value`, `tie` and `group`; shares refer to a group's rows, nulls included.
        end: which part; the middle drops equal numbers at both ends (one more at the worse end if odd).
        amount: how many rows of each group, or how many by group.
        high_first: whether a larger value is better.
    """
    order = ranked(frame, high_first=high_first if end != "bottom" else not high_first)
    sizes = order.group_by("group").len()
    wanted = pl.Series("wanted", [_wanted(amount, *one) for one in sizes.iter_rows()], dtype=pl.Int64)
    counted = order.join(sizes.with_columns(wanted), on="group", nulls_equal=True, maintain_order="left").with_columns(
        known=pl.col("value").count().over("group").cast(pl.Int64),
        place=pl.int_range(pl.len(), dtype=pl.Int64).over("group"),
    )
    first = pl.lit(0) if end != "middle" else pl.max_horizontal((pl.col("known") - pl.col("wanted")) // 2, pl.lit(0))
    inside = (pl.col("place") >= first) & (pl.col("place") < first + pl.col("wanted")) & pl.col("value").is_not_null()
    return counted.filter(inside)["row"]


def _wanted(amount: Amount | Mapping[str, int], group: Any, rows: int) -> int:
    return amount.of(rows) if isinstance(amount, Amount) else amount.get(group, 0)


def pick_whole(
    values: np.ndarray,
    alive: np.ndarray,
    ties: TieBreakers,
    end: End,
    amount: Amount,
    *,
    high_first: bool,
) -> np.ndarray:
    """What `pick` returns for a table without groups, as a mask [rows].

    Args:
        values: float64 [rows], NaN where missing.
        alive: bool [rows]: the eligible rows; shares refer to these.
        ties: reads the tie-breakers of given rows.
        end: which part.
        amount: how many rows.
        high_first: whether a larger value is better.
    """
    kept: np.ndarray = alive & ~np.isnan(values)
    known, wanted = int(kept.sum()), amount.of(int(alive.sum()))
    first = max((known - wanted) // 2, 0) if end == "middle" else 0
    last = min(first + wanted, known)
    if first >= last:
        return np.zeros(values.size, bool)
    descending = high_first if end != "bottom" else not high_first
    ranks = values[kept]
    np.negative(ranks, out=ranks, where=descending)
    low, high = _cut_values(ranks, first, last)
    below = [int((ranks < low).sum()), int((ranks < high).sum())]
    del ranks
    at = {cut: np.flatnonzero(kept & (values == (-cut if descending else cut))) for cut in {low, high}}
    kept &= _between(values, low, high, descending)
    if low == high:
        kept[_ranked_rows(at[low], ties, first - below[0], last - below[0])] = True
    else:
        kept[_ranked_rows(at[low], ties, first - below[0], at[low].size)] = True
        kept[_ranked_rows(at[high], ties, 0, last - below[1])] = True
    return kept


def _cut_values(ranks: np.ndarray, first: int, last: int) -> tuple[float, float]:
    """The values at places `first` and `last - 1` in ascending order; partially sorts `ranks` in place."""
    places = sorted({first, last - 1})
    ranks.partition(places)
    return float(ranks[places[0]]), float(ranks[places[-1]])


def _between(values: np.ndarray, low: float, high: float, descending: bool) -> np.ndarray:
    inside: np.ndarray = (values < -low) if descending else (values > low)
    inside &= (values > -high) if descending else (values < high)
    return inside


def _ranked_rows(rows: np.ndarray, ties: TieBreakers, first: int, last: int) -> np.ndarray:
    """Rows of equal value at these places of their order; reads tie-breakers only if they matter."""
    if first <= 0 and last >= rows.size:
        return rows
    frame = pl.DataFrame({"tie": ties(rows), "row": rows}).sort(["tie", "row"], nulls_last=True)
    found: np.ndarray = frame["row"].slice(first, last - first).to_numpy()
    return found
