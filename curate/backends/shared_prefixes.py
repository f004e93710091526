"""Rows of token ids that begin alike, and what can be read once for all of them.

In the order of their ids, rows that share their beginning are adjacent, and what a row shares with any earlier row is
what it shares with the one just before it. So only the new tokens of a row cost arithmetic: the responses to one
prompt cost the prompt once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from curate.render import Ids

LEAST_SHARED = 8
"""Shorter common prefixes are read again: looking them up costs about as much."""


def common_prefix(one: Ids, other: Ids) -> int:
    """The number of tokens at the start that both share."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def reading_order(rows: Sequence[Ids]) -> list[tuple[int, int]]:
    """The rows' positions in reading order, each with the number of tokens shared with the one before it."""
    order = sorted(range(len(rows)), key=rows.__getitem__)
    shared = [0, *(common_prefix(rows[a], rows[b]) for a, b in pairwise(order))]
    return [(row, n if n >= LEAST_SHARED else 0) for row, n in zip(order, shared, strict=False)]
