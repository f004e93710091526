"""Rows that the page holds as numbers, so that a click can filter them: a small table whole, a large one in part."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from curate.reporting.columns import Columns
from curate.reporting.issues import Issue

BUDGET = 2_200_000
"""Bytes of numbers, before they are spelled in base64."""
SEED = 0


def sample_of(columns: Columns, kept: np.ndarray | None, issues: list[Issue]) -> dict[str, Any]:
    """Numbers, groups, issues and what was kept, of as many rows as fit, in the order that breaks ties."""
    shown = [issue for issue in issues if issue.where][:31]
    derived = columns.margin is not None and columns.find("reward_margin") is None
    arrays = [one.values for one in columns.numbers] + ([columns.margin] if derived else [])
    each = 8 * len(arrays) + len(columns.groups) + 4 + 1
    rows = min(columns.rows, BUDGET // each)
    picked = np.arange(columns.rows)
    if rows < columns.rows:
        picked = np.random.default_rng(SEED).choice(columns.rows, rows, replace=False)
    picked = picked[np.argsort(columns.ties[picked], kind="stable")]
    bits = np.zeros(rows, np.uint32)
    for place, issue in enumerate(shown):
        bits |= issue.rows[picked].astype(np.uint32) << np.uint32(place)
    return {
        "rows": rows,
        "numbers": [_base64(one.values[picked].astype("<f8")) for one in columns.numbers],
        "margin": _base64(columns.margin[picked].astype("<f8")) if derived and columns.margin is not None else None,
        "groups": [_base64(group.codes[picked]) for group in columns.groups],
        "issues": [issue.name for issue in shown],
        "bits": _base64(bits.astype("<u4")),
        "kept": None if kept is None else _base64(kept[picked].astype(np.uint8)),
    }


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
