"""Token-level edit distance of the two responses' own texts, special tokens left out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence, Set
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


def normalised(distance: float, first: int, second: int) -> float:
    """Distance over the longer one's tokens: 0 for equal texts (two empty ones too), 1 for nothing in common."""
    return distance / max(first, second, 1)


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

    def score(self, items: Sequence[PairItem], done: Set[int]) -> Iterator[Scored]:
        """Compare the texts."""
        for start in range(0, len(items), CALL_SIZE):
            batch = items[start : start + CALL_SIZE]
            keys = [item.key for item in batch]
            if all(key in done for key in keys):
                continue
            ids = self.tokenizer.encode([item.chosen for item in batch] + [item.rejected for item in batch])
            first, second = ids[: len(batch)], ids[len(batch) :]
            distances = edit_distances(first, second).tolist()
            sizes = [(len(a), len(b)) for a, b in zip(first, second, strict=True)]
            columns: dict[str, list[Any]] = {
                "edit_distance": distances,
                "edit_distance_norm": [normalised(d, a, b) for d, (a, b) in zip(distances, sizes, strict=True)],
                "chosen_text_tokens": [a for a, _ in sizes],
                "rejected_text_tokens": [b for _, b in sizes],
            }
            yield Scored(keys, columns, tokens=sum(a + b for a, b in sizes))

    def facts(self) -> dict[str, Any]:
        """Which tokens were counted."""
        return {"tokenizer": short_name(self.tokenizer.name), "tokenizer_hash": self.tokenizer.fingerprint()}

    def close(self) -> None:
        """Nothing to free."""
