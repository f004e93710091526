"""Several reward models next to each other: how often they agree, and how a margin relates to the label."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from curate.metrics.registry import as_numbers
from curate.readers.files.table import Table
from curate.reporting.columns import Columns
from curate.schema import named_reward

MOST = 8
BANDS = 10


def reward_margins(table: Table) -> dict[str, np.ndarray]:
    """Reward of chosen minus rejected by each named source of rewards: float64 [rows]."""
    start = named_reward("").chosen
    found: dict[str, np.ndarray] = {}
    for column in table.schema.names:
        field = named_reward(column.removeprefix(start))
        if column.startswith(start) and field.rejected in table.schema.names and len(found) < MOST:
            frame = table.numbers([field.chosen, field.rejected])
            margin = as_numbers(frame[field.chosen]) - as_numbers(frame[field.rejected])
            found[column.removeprefix(start)] = margin.fill_null(float("nan")).to_numpy()
    return found


def rewards_of(table: Table, columns: Columns) -> dict[str, Any] | None:
    """Agreement, votes and calibration; None where the table has no rewards."""
    if columns.margin is None or np.isnan(columns.margin).all():
        return None
    named = reward_margins(table)
    names = list(named)
    return {
        "names": names,
        "agree": [[_agreement(named[one], named[other]) for other in names] for one in names],
        "votes": _votes(list(named.values())) if len(names) > 1 else None,
        "bands": _bands(columns.margin),
    }


def _agreement(one: np.ndarray, other: np.ndarray) -> float | None:
    """The share of rows on which two sources prefer the same response, of those where both prefer one."""
    both = ~np.isnan(one) & ~np.isnan(other) & (one != 0) & (other != 0)
    return float(((one > 0) == (other > 0))[both].mean()) if both.any() else None


def _votes(margins: list[np.ndarray]) -> list[int]:
    """Rows by how many sources prefer the chosen response."""
    votes = sum((margin > 0).astype(np.int64) for margin in margins)
    return [int(count) for count in np.bincount(votes, minlength=len(margins) + 1)]


def _bands(margin: np.ndarray) -> list[dict[str, Any]]:
    """Tenths of the rows by the size of the margin, and how often the reward agrees with the label in each."""
    known = margin[~np.isnan(margin)]
    frame = pl.DataFrame({"size": np.abs(known), "agrees": known > 0}).sort("size", maintain_order=True)
    found = []
    for i in range(BANDS):
        part = frame.slice(i * frame.height // BANDS, (i + 1) * frame.height // BANDS - i * frame.height // BANDS)
        if part.height:
            low, high = part["size"][0], part["size"][-1]
            found.append({"low": low, "high": high, "rows": part.height, "agrees": int(part["agrees"].sum())})
    return found
