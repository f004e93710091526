"""Lower bounds of the edit distance of two texts, without comparing them token by token."""

from __future__ import annotations

import numpy as np

from curate.tokens.lists import TokenLists


def least_by_length(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The difference of the token counts: that many tokens must be inserted."""
    found: np.ndarray = np.abs(first - second)
    return found


def least_by_tokens(texts: TokenLists, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The tokens of the longer text without an equal in the other, in any order: each costs an edit.

    max(|A|, |B|) less the size of the intersection of A and B as multisets.

    Args:
        texts: few texts, because the work grows with the number of distinct tokens.
        first: numbers of texts, int64 [n].
        second: numbers of texts, int64 [n].

    Returns:
        int64 [n].
    """
    counts = token_counts(texts)
    common = np.minimum(counts[first], counts[second]).sum(axis=1, dtype=np.int64)
    sizes = texts.sizes
    found: np.ndarray = np.maximum(sizes[first], sizes[second]) - common
    return found


def token_counts(texts: TokenLists) -> np.ndarray:
    """How often each text has each of their tokens, in arbitrary token order: uint16 or uint32 [texts, tokens]."""
    # Each id is named after its last position; numbering the names in order makes them small. Sorting would take
    # several times as long.
    last = np.empty(int(texts.ids.max(initial=0)) + 1, np.int64)
    last[texts.ids] = np.arange(texts.ids.size)
    names = last[texts.ids]
    used = np.zeros(texts.ids.size, bool)
    used[names] = True
    columns = (np.cumsum(used) - 1)[names]
    different, rows = int(used.sum()), texts.sizes.size
    places = np.repeat(np.arange(rows), texts.sizes) * different + columns
    counts = np.bincount(places, minlength=rows * different).reshape(rows, different)
    return counts.astype(np.uint16 if texts.sizes.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32)
