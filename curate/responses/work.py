"""What a scorer measures of staged rows: responses, or pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from curate.engines.local import Window
from curate.responses.table import Staged
from curate.scorers import Scorer
from curate.scorers.edit_distance import EditDistance
from curate.scorers.embedding_distance import EmbeddingDistance
from curate.scorers.judge import Judge

Windows = Callable[[], Iterable[Window]]


@dataclass(frozen=True)
class Work:
    """The items of one scorer.

    Attributes:
        windows: the items, by key, a few thousand at a time; the same at every call.
        total: items in all windows.
        size: one more than the largest key that there can be.
        unit: what the items are.
    """

    windows: Windows
    total: int
    size: int
    unit: str


def work_of(scorer: Scorer, staged: Staged) -> Work:
    """Pairs, keyed by row, for what compares two texts; else responses, keyed by slot, equal ones once."""
    rows = int(staged.counts.size)
    if isinstance(scorer, EditDistance | EmbeddingDistance):
        return Work(staged.pair_windows, rows, rows, "pairs")
    if isinstance(scorer, Judge) and scorer.pairwise:
        return Work(staged.judging_windows, rows, rows, "pairs")
    slots = staged.names.size
    return Work(staged.response_windows, int((staged.names == np.arange(slots)).sum()), slots, "responses")
