"""The rows that a selection keeps next to all rows: means, for the card of whatever is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.cards.history import comparison
from curate.metrics.registry import as_numbers
from curate.readers.files.table import Table
from curate.schema import EDIT_DISTANCE, TOKENS

WORTH = (
    "reward_margin",
    "dcrm",
    "dpo_margin",
    "simpo_margin",
    "rm_agrees",
    TOKENS.chosen,
    TOKENS.rejected,
    EDIT_DISTANCE.name,
)
"""Columns that are compared where the table has them."""
LONGER = "chosen is longer"
"""The share of the pairs of different lengths in which it is."""


def compared(table: Table, kept: np.ndarray, added: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Means over all rows and over those kept, by column, missing values left out.

    Args:
        table: all rows.
        kept: which of them are kept: bool [rows].
        added: values that the table does not hold, by name: float64 [rows], NaN where missing.
    """
    names = [name for name in WORTH if name not in added and _holds_numbers(table, name)]
    sums = {name: np.zeros((2, 2)) for name in (*added, *names)}  # [all, kept][sum, count]
    longer, first = np.zeros((2, 2)), 0
    for batch in table.batches(names):
        inside = kept[first : first + batch.num_rows]
        values = {name: as_numbers(pl.Series(batch[name])).to_numpy() for name in names}
        values |= {name: column[first : first + batch.num_rows] for name, column in added.items()}
        for name, column in values.items():
            sums[name] += _sums(column, inside)
        if {TOKENS.chosen, TOKENS.rejected} <= values.keys():
            difference = values[TOKENS.chosen] - values[TOKENS.rejected]
            longer += _sums(np.where(difference == 0, np.nan, (difference > 0) + 0 * difference), inside)
        first += batch.num_rows
    means = {name: _means(one) for name, one in {**sums, LONGER: longer}.items() if one[0, 1]}
    return comparison("all rows", "rows kept", (kept.size, int(kept.sum())), means) if means else {}


def _holds_numbers(table: Table, name: str) -> bool:
    if name not in table.schema.names:
        return False
    kind = table.schema.field(name).type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _sums(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    both = known & kept
    return np.array([[values[known].sum(), known.sum()], [values[both].sum(), both.sum()]])


def _means(sums: np.ndarray) -> tuple[float | None, float | None]:
    all_rows, kept = (float(total / count) if count else None for total, count in sums)
    return all_rows, kept
