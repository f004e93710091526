"""Counts rows whose metric is null because `auto` took an optional column in which they have no value."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from curate.metrics.registry import Options, as_numbers, taken_if_present


def rows_lacking(frame: pl.DataFrame, columns: Sequence[str]) -> int:
    """The number of rows without a number in one of these columns."""
    if not columns:
        return 0
    numbers = pl.DataFrame([as_numbers(frame[name]) for name in columns])
    return int(numbers.select(pl.any_horizontal(pl.all().is_null()).sum()).item())


def lacking_note(metric: str, columns: Sequence[str], lacking: int, of: str) -> str:
    """What the user should know about them.

    Args:
        metric: the metric that has no value there.
        columns: the columns that it reads.
        lacking: how many rows lack one of these.
        of: the total, as in `2,000 rows`.
    """
    return (
        f"{lacking:,} of {of} lack {' or '.join(columns)}, which {metric} reads as the table has them: they have no "
        f"{metric}. `curate metrics {metric}` shows forms that do without."
    )


def lacking_notes(frame: pl.DataFrame, names: Sequence[str], options: Options) -> dict[str, list[str]]:
    """A note for each metric that some rows lack because `auto` took a column that they do not have."""
    found = {}
    for name in names:
        columns = taken_if_present(name, options, frozenset(frame.columns))
        if lacking := rows_lacking(frame, columns):
            found[name] = [lacking_note(name, columns, lacking, f"{frame.height:,} rows")]
    return found
