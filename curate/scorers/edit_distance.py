"""Token-level edit distance of the two responses' own texts, special tokens left out."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from curate.identity import short_name
from curate.scorers import PairItem, Scored
from curate.tokens import TextTokenizer

CALL_SIZE = 4096


def comparable(texts: Sequence[Sequence[int]]) -> Sequence[str] | Sequence[Sequence[int]]:
    """The ids as strings with one character a token: twice as fast to compare as lists, and just as exact.

    Ids beyond the last character stay lists.
    """
    if all(max(ids, default=0) <= sys.maxunicode for ids in texts):
        return ["".join(map(chr, ids)) for ids in texts]
    return texts


def edit_distances(first: Sequence[Sequence[int]], second: Sequence[Sequence[int]]) -> np.ndarray:
    """Levenshtein distance of first[i] and second[i] in tokens, int32 [n]; two empty lists have distance 0."""
    both = comparable([*first, *second])
    distances = cpdist(both[: len(first)], both[len(first) :], scorer=Levenshtein.distance, dtype=np.int32, workers=-1)
    return np.asarray(distances)


def normalised(distances: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distances over the longer one's tokens: 0 for equal texts (two empty ones too), 1 for nothing in common."""
    found: np.ndarray = distances / np.maximum(np.maximum(first, second), 1)
    return found


@dataclass
class EditDistance:
    """Yields `edit_distance` (tokens), `edit_distance_norm` (0..1), and both texts' token counts."""

    tokenizer: TextTokenizer
    name: str = "edit"

    @property
    def title(self) -> str:
        """With which tokenizer."""
        return f"edit distance in tokens of {short_name(self.tokenizer.name)!r}"

    @property
    def schema(self) -> pa.Schema:
        """Types of what it yields."""
        return pa.schema(
            [
                ("edit_distance", pa.int32()),
                ("edit_distance_norm", pa.float64()),
                ("chosen_text_tokens", pa.int32()),
                ("rejected_text_tokens", pa.int32()),
            ]
        )

    def open(self) -> list[str]:
        """Nothing to load: the tokenizer is at hand."""
        return []

    def score(self, items: Sequence[PairItem], done: Container[int]) -> Iterator[Scored]:
        """Compare the texts."""
        for start in range(0, len(items), CALL_SIZE):
            batch = items[start : start + CALL_SIZE]
            keys = [item.key for item in batch]
            if all(key in done for key in keys):
                continue
            ids = self.tokenizer.encode([item.chosen for item in batch] + [item.rejected for item in batch])
            first, second = ids[: len(batch)], ids[len(batch) :]
            distances = edit_distances(first, second)
            sizes = [np.array([len(one) for one in side], np.int64) for side in (first, second)]
            columns = {
                "edit_distance": distances.tolist(),
                "edit_distance_norm": normalised(distances, *sizes).tolist(),
                "chosen_text_tokens": sizes[0].tolist(),
                "rejected_text_tokens": sizes[1].tolist(),
            }
            yield Scored(keys, columns, tokens=int(sizes[0].sum() + sizes[1].sum()))

    def facts(self) -> dict[str, Any]:
        """Which tokens were counted."""
        return {"tokenizer": short_name(self.tokenizer.name), "tokenizer_hash": self.tokenizer.fingerprint()}

    def close(self) -> None:
        """Nothing to free."""
