"""The pairs that the page shows with their texts: which ones, where they differ, and how each of them ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from curate.readers import Layout
from curate.readers.files.table import Table
from curate.reporting.columns import Columns
from curate.reporting.issues import EXAMPLES, Issue
from curate.reporting.statistics import percentiles
from curate.reporting.texts import marked, records_at
from curate.schema import Record
from curate.tokens.tools import response_text

EACH = 10
NEAR_CUT = 5
SEED = 0
TEXT_BUDGET = 1_600_000
"""Characters of all texts together, so that the page stays below 5 MB even where every character takes three bytes."""


@dataclass
class Choice:
    """Row numbers of the pairs to show, by the reason why they are shown."""

    sets: dict[str, list[int]] = field(default_factory=dict)

    @property
    def rows(self) -> np.ndarray:
        """All of them, ascending, each once."""
        return np.unique(np.array([row for rows in self.sets.values() for row in rows], np.int64))


def choose(
    columns: Columns,
    order: np.ndarray | None,
    kept: np.ndarray | None,
    other: np.ndarray | None,
    issues: Sequence[Issue],
) -> tuple[Choice, dict[str, np.ndarray]]:
    """Choose pairs by the metric in use (best, worst, at the cut), by disagreement of metrics, by issue, at random.

    Args:
        columns: of the table.
        order: the rows that have a value of the metric in use, best first.
        kept: bool [rows].
        other: the rows of another selection, bool [rows].
        issues: what may be wrong.

    Returns:
        The choice, and the percentiles of every metric (1 is the best end): float64 [rows].
    """
    choice = Choice()
    ranked = {one.name: _best_is_one(one.values, one.high_first) for one in columns.metrics}
    if order is not None and order.size:
        choice.sets["best"] = order[:EACH].tolist()
        choice.sets["worst"] = order[::-1][:EACH].tolist()
        if kept is not None:
            inside = kept[order]
            last, first = np.flatnonzero(inside)[-NEAR_CUT:], np.flatnonzero(~inside)
            after = first[first > (last[-1] if last.size else -1)][:NEAR_CUT]
            choice.sets["cut"] = order[np.concatenate([last, after]).astype(np.int64)].tolist()
    if len(ranked) > 1:
        choice.sets["disagree"] = _spread(ranked)[:EACH]
    if kept is not None and other is not None:
        ordered = order if order is not None else np.arange(columns.rows)
        choice.sets["only_first"] = ordered[(kept & ~other)[ordered]][:EACH].tolist()
        choice.sets["only_second"] = ordered[(other & ~kept)[ordered]][:EACH].tolist()
    some = np.random.default_rng(SEED).choice(columns.rows, min(EACH, columns.rows), replace=False)
    choice.sets["random"] = [int(row) for row in some]
    for issue in issues:
        choice.sets[f"issue:{issue.name}"] = np.flatnonzero(issue.rows)[:EXAMPLES].tolist()
    return choice, ranked


def _best_is_one(values: np.ndarray, high_first: bool) -> np.ndarray:
    found = percentiles(values)
    return found if high_first else 1 - found


def _spread(ranked: Mapping[str, np.ndarray]) -> list[int]:
    """Rows by how far apart their best and their worst percentile are, farthest first."""
    high = np.full(len(next(iter(ranked.values()))), np.nan)
    low = high.copy()
    for one in ranked.values():
        high, low = np.fmax(high, one), np.fmin(low, one)
    apart = np.where(np.isnan(high), -1.0, high - low)
    return [int(row) for row in np.argsort(-apart, kind="stable")[:EACH]]


def shown_pairs(
    table: Table,
    layout: Layout | None,
    columns: Columns,
    choice: Choice,
    ranked: Mapping[str, np.ndarray],
    kept: np.ndarray | None,
    other: np.ndarray | None,
    issues: Sequence[Issue],
) -> list[dict[str, Any]]:
    """The chosen rows, ready for JSON, in the order of the table."""
    rows = choice.rows
    records = records_at(table, layout, rows) if layout is not None else [None] * rows.size
    longest = _longest(records)
    ids = columns.ids.gather(pl.Series(rows)).to_list() if columns.ids is not None else [None] * rows.size
    return [
        {
            "row": int(row),
            "id": pair,
            "kept": None if kept is None else bool(kept[row]),
            "other": None if other is None else bool(other[row]),
            "numbers": [_plain(one.values[row]) for one in columns.numbers],
            "best": [_plain(ranked[one.name][row]) if one.metric else None for one in columns.numbers],
            "groups": [int(group.codes[row]) for group in columns.groups],
            "issues": [issue.name for issue in issues if issue.rows[row]],
            **_texts(record, longest),
        }
        for row, pair, record in zip(rows, ids, records, strict=True)
    ]


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _texts(record: Record | None, longest: int) -> dict[str, Any]:
    if record is None or record.pair is None:
        return {"prompt": None, "chosen": None, "rejected": None, "cut": 0}
    sides = [record.responses[place] for place in record.pair]
    prompt = [[message["role"], response_text(message)] for message in record.prompt]
    cut = sum(max(len(text) - longest, 0) for text in [*sides, *(text for _, text in prompt)])
    chosen, rejected = marked(sides[0][:longest], sides[1][:longest])
    return {
        "prompt": [[role, text[:longest]] for role, text in prompt],
        "chosen": chosen,
        "rejected": rejected,
        "cut": cut,
    }


def _longest(records: Sequence[Record | None]) -> int:
    """The length to which every text is cut so that all of them fit the budget."""
    lengths = [
        len(text)
        for one in records
        if one is not None
        for text in (*one.responses, *(message["content"] for message in one.prompt))
    ]
    longest = max(lengths, default=0)
    while longest > 1 and sum(min(length, longest) for length in lengths) > TEXT_BUDGET:
        longest = int(longest * 0.8)
    return longest
