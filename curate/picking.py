"""Which rows are kept: shares and counts, ranks with deterministic ties. Knows nothing of files."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import polars as pl

from curate.errors import SettingsError

End = Literal["top", "bottom", "middle"]


@dataclass(frozen=True)
class Amount:
    """How many rows: a share of them, or a count."""

    share: Fraction | None = None
    count: int | None = None

    def of(self, rows: int) -> int:
        """floor(share * rows), exactly; or the count, never more than there are rows."""
        return int(self.share * rows) if self.share is not None else min(self.count or 0, rows)


def parse_amount(text: str, option: str) -> Amount:
    """`10%`, `2.5%` or a count.

    Raises:
        SettingsError: anything else, or a share that is not above 0 and at most 100%.
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
        f"{text!r} is neither a share nor a count of rows.", option, f"For example: {option} 10% or {option} 500."
    )


def ranked(frame: pl.DataFrame, *, high_first: bool) -> pl.DataFrame:
    """The rows in order of their value, the best first; ties by `tie`, then by row; null values last.

    Args:
        frame: with the columns `row`, `value` and `tie`.
        high_first: whether a larger value is better.
    """
    return frame.sort(
        ["value", "tie", "row"], descending=[high_first, False, False], nulls_last=True, maintain_order=True
    )


def best_of_each(frame: pl.DataFrame, key: str, *, high_first: bool) -> pl.DataFrame:
    """Of the rows that share a key only the best one."""
    return ranked(frame, high_first=high_first).unique(key, keep="first", maintain_order=True)


def pick(frame: pl.DataFrame, end: End, amount: Amount, *, high_first: bool) -> pl.Series:
    """The `row` numbers of the best, the worst or the middle rows of each group; never one without a value.

    Args:
        frame: with the columns `row`, `value`, `tie` and `group`; shares are of a group's rows, nulls included.
        end: which part; the middle leaves out as many at one end as at the other (one more at the worse end when odd).
        amount: how many of each group.
        high_first: whether a larger value is better.
    """
    order = ranked(frame, high_first=high_first if end != "bottom" else not high_first)
    sizes = order.group_by("group").len()
    wanted = pl.Series("wanted", [amount.of(rows) for rows in sizes["len"].to_list()], dtype=pl.Int64)
    counted = order.join(sizes.with_columns(wanted), on="group", nulls_equal=True, maintain_order="left").with_columns(
        known=pl.col("value").count().over("group").cast(pl.Int64),
        place=pl.int_range(pl.len(), dtype=pl.Int64).over("group"),
    )
    first = pl.lit(0) if end != "middle" else pl.max_horizontal((pl.col("known") - pl.col("wanted")) // 2, pl.lit(0))
    inside = (pl.col("place") >= first) & (pl.col("place") < first + pl.col("wanted")) & pl.col("value").is_not_null()
    return counted.filter(inside)["row"]
