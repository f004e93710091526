"""Token-level edit distance of the two responses' own texts, without special tokens."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from curate.model import short_name
from curate.scorers import PairItem, Scored
from curate.tokens import CountingTokenizer
from curate.tokens.lists import TokenLists

CALL_SIZE = 4096
CHARACTERS = sys.maxunicode + 1
LIMIT_RATIO, FEWEST_A_CALL = 1.25, 64
"""Comparisons share a call if none would stop much earlier under its own limit, or if they are few."""
FEWEST_A_THREAD = 16


Comparable = Sequence[str] | Sequence[Sequence[int]]


def comparable(texts: TokenLists) -> Comparable:
    """The texts as strings with one character per token: faster to compare than lists of ids, and just as exact.

    The most frequent tokens get the first characters, which are the fastest. With more distinct tokens than there are
    characters, the texts remain lists.
    """
    counts = np.bincount(texts.ids)
    if np.count_nonzero(counts) > CHARACTERS:
        return texts.lists()
    characters = np.zeros(counts.size, "<u4")
    commonest_first = np.argsort(-counts, kind="stable")[:CHARACTERS]
    characters[commonest_first] = np.arange(commonest_first.size)
    every = characters[texts.ids].tobytes().decode("utf-32-le", "surrogatepass")
    return [every[start:end] for start, end in pairwise(texts.starts.tolist())]


def edit_distances(first: Comparable, second: Comparable) -> np.ndarray:
    """Levenshtein distance of first[i] and second[i] in tokens, int32 [n]; two empty texts have distance 0."""
    return np.asarray(cpdist(first, second, scorer=Levenshtein.distance, dtype=np.int32, workers=-1))


def edit_distances_within(first: Comparable, second: Comparable, most: np.ndarray) -> np.ndarray:
    """The same up to most[i]; beyond that the comparison stops and gives most[i] + 1. int32 [n].

    One call has one limit for all the comparisons its threads share, so comparisons with similar limits share a call.
    """
    cores = os.cpu_count() or 1
    found = np.empty(most.size, np.int32)
    falling = np.argsort(-most, kind="stable")
    limits, start = most[falling], 0
    while start < most.size:
        alike = int(np.searchsorted(-limits, -limits[start] / LIMIT_RATIO, side="right"))
        end = min(max(alike, start + FEWEST_A_CALL), most.size)
        places = falling[start:end]
        sides = ([texts[i] for i in places.tolist()] for texts in (first, second))
        limit, workers = int(limits[start]), min(cores, max(1, (end - start) // FEWEST_A_THREAD))
        found[places] = cpdist(*sides, scorer=Levenshtein.distance, score_cutoff=limit, dtype=np.int32, workers=workers)
        start = end
    within: np.ndarray = np.minimum(found, most + 1)
    return within


def normalised(distances: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distances divided by the longer text's tokens: 0 for equal texts (even empty ones), 1 for nothing in common."""
    found: np.ndarray = distances / np.maximum(np.maximum(first, second), 1)
    return found


@dataclass
class EditDistance:
    """Yields `edit_distance` (tokens), `edit_distance_norm` (0..1), and both texts' token counts."""

    tokenizer: CountingTokenizer
    name: str = "edit"

    @property
    def title(self) -> str:
        """With which tokenizer."""
        return f"edit distance in tokens of {short_name(self.tokenizer.name)!r}"

    @property
    def schema(self) -> pa.Schema:
        """Types of the columns."""
        return pa.schema(
            [
                ("edit_distance", pa.int32()),
                ("edit_distance_norm", pa.float64()),
                ("chosen_text_tokens", pa.int32()),
                ("rejected_text_tokens", pa.int32()),
            ]
        )

    def open(self) -> list[str]:
        """Nothing to load: the tokenizer is already open."""
        return []

    def score(self, items: Sequence[PairItem], done: Container[int]) -> Iterator[Scored]:
        """Compare the texts."""
        for start in range(0, len(items), CALL_SIZE):
            batch = items[start : start + CALL_SIZE]
            keys = [item.key for item in batch]
            if all(key in done for key in keys):
                continue
            tokens = self.tokenizer.encode_lists([item.chosen for item in batch] + [item.rejected for item in batch])
            texts, sizes = comparable(tokens), (tokens.sizes[: len(batch)], tokens.sizes[len(batch) :])
            distances = edit_distances(texts[: len(batch)], texts[len(batch) :])
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
