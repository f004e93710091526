"""Distances between texts for many pairs: tokenises and embeds each text once, and compares each two at most once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from curate.responses.measure import Numbers
from curate.schema import EDIT_DISTANCE, EDIT_DISTANCE_NORM, EMBEDDING_DISTANCE
from curate.scorers.edit_bounds import least_by_length, least_by_tokens
from curate.scorers.edit_distance import EditDistance, comparable, edit_distances, edit_distances_within, normalised
from curate.scorers.embedding_distance import EmbeddingDistance, cosine_distances

COSINE_ROWS = 4096
EDIT = (EDIT_DISTANCE.name, EDIT_DISTANCE_NORM.name)
TEXT_TOKENS = ("chosen_text_tokens", "rejected_text_tokens")


@dataclass(frozen=True)
class Distances:
    """Measures pairs of texts, while it is open."""

    edit: EditDistance
    embedding: EmbeddingDistance | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `Comparison.measure` returns."""
        return (*EDIT, *TEXT_TOKENS, *([EMBEDDING_DISTANCE.name] if self.embedding is not None else []))

    @contextmanager
    def open(self, note: Callable[[str], object]) -> Iterator[None]:
        """Holds the embedding model, if there is one; what is to be known of it is noted."""
        if self.embedding is None:
            yield
            return
        for text in self.embedding.open():
            note(text)
        try:
            yield
        finally:
            self.embedding.close()

    def of(self, texts: dict[int, str]) -> Comparison:
        """A comparison of these slots' texts."""
        return Comparison(self, texts)


class Comparison:
    """The texts of some slots, tokenised and embedded once, and what was measured so far. Equal texts count as one."""

    def __init__(self, distances: Distances, texts: dict[int, str]) -> None:
        numbers = {text: i for i, text in enumerate(dict.fromkeys(texts.values()))}
        self._slots = np.array(sorted(texts), np.int64)
        self._numbers = np.array([numbers[texts[slot]] for slot in self._slots.tolist()], np.int64)
        self._tokens = distances.edit.tokenizer.encode_lists(list(numbers))
        self._sizes = self._tokens.sizes
        self._comparable = comparable(self._tokens)
        self._vectors = distances.embedding.embed(list(numbers)) if distances.embedding is not None else None
        self._keys, self._edits = np.zeros(0, np.int64), np.zeros(0, np.int32)
        self.broken_off = 0
        """How many comparisons were stopped early."""

    def numbers(self, slots: np.ndarray) -> np.ndarray:
        """The numbers that identify these slots' texts in the other methods, int64 [n]."""
        found: np.ndarray = self._numbers[np.searchsorted(self._slots, slots)]
        return found

    def lengths(self, slots: np.ndarray) -> np.ndarray:
        """Tokens of these slots' texts, int64 [n]."""
        found: np.ndarray = self._sizes[self.numbers(slots)]
        return found

    @property
    def measured(self) -> int:
        """How many distinct pairs of texts have a measured edit distance so far."""
        return int(self._keys.size)

    def different(self, first: np.ndarray, second: np.ndarray) -> int:
        """How many distinct pairs of texts these are."""
        return int(np.unique(self._pair_keys(first, second)).size)

    def measure(self, first: np.ndarray, second: np.ndarray) -> Numbers:
        """The pairs' columns, float64 [n] each: distances and the texts' token counts."""
        return {**self.of_edits(first, second, self.edits(first, second)), **self.known(first, second)}

    def known(self, first: np.ndarray, second: np.ndarray) -> Numbers:
        """The columns that need no token-by-token comparison, float64 [n] each."""
        sizes = self._sizes.astype(np.float64)
        found = dict(zip(TEXT_TOKENS, (sizes[first], sizes[second]), strict=True))
        if self._vectors is not None:
            found[EMBEDDING_DISTANCE.name] = np.where(first == second, 0.0, self._cosines(self._vectors, first, second))
        return found

    def of_edits(self, first: np.ndarray, second: np.ndarray, edits: np.ndarray) -> Numbers:
        """The columns derived from edit distances, float64 [n] each."""
        shares = normalised(edits, self._sizes[first], self._sizes[second])
        return dict(zip(EDIT, (edits.astype(np.float64), shares), strict=True))

    def edits(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Edit distances, int32 [n]; each pair is measured only once."""
        keys, back = np.unique(self._pair_keys(first, second), return_inverse=True)
        new = keys[~np.isin(keys, self._keys)]
        self._learn(new, edit_distances(*self._sides(new)))
        found: np.ndarray = self._edits[np.searchsorted(self._keys, keys)][back]
        return found

    def edits_within(self, first: np.ndarray, second: np.ndarray, most: np.ndarray) -> np.ndarray:
        """Edit distances, exact up to `most`; a larger one gives some number between `most` and itself. int64 [n]."""
        keys, back = np.unique(self._pair_keys(first, second), return_inverse=True)
        within = np.zeros(keys.size, np.int64)
        np.maximum.at(within, back, most)
        new = ~np.isin(keys, self._keys)
        found = np.empty(keys.size, np.int64)
        found[new] = edit_distances_within(*self._sides(keys[new]), within[new])
        whole = new & (found <= within)
        self.broken_off += int(new.sum() - whole.sum())
        self._learn(keys[whole], found[whole])
        found[~new] = self._edits[np.searchsorted(self._keys, keys[~new])]
        return found[back]

    def _learn(self, keys: np.ndarray, edits: np.ndarray) -> None:
        places = np.searchsorted(self._keys, keys)
        self._keys, self._edits = np.insert(self._keys, places, keys), np.insert(self._edits, places, edits)

    def _sides(self, keys: np.ndarray) -> tuple[list[Any], list[Any]]:
        first, second = np.divmod(keys, self._sizes.size)
        return [self._comparable[i] for i in first.tolist()], [self._comparable[i] for i in second.tolist()]

    def most(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Upper bounds of the edit distances: the longer text's tokens, int64 [n]."""
        longer: np.ndarray = np.maximum(self._sizes[first], self._sizes[second])
        return longer

    def least_by_length(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Lower bounds of the edit distances, from the texts' lengths, int64 [n]."""
        return least_by_length(self._sizes[first], self._sizes[second])

    def least_by_tokens(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Lower bounds from the texts' tokens in any order, for pairs of few texts: tighter, but slower."""
        texts, places = np.unique(np.stack([first, second]), return_inverse=True)
        return least_by_tokens(self._tokens.take(texts), *places.reshape(2, first.size))

    def _pair_keys(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        keys: np.ndarray = np.minimum(first, second) * self._sizes.size + np.maximum(first, second)
        return keys

    @staticmethod
    def _cosines(vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        cuts = range(0, first.size, COSINE_ROWS)
        rows = [(first[i : i + COSINE_ROWS], second[i : i + COSINE_ROWS]) for i in cuts]
        return np.concatenate([np.zeros(0), *(cosine_distances(vectors[a], vectors[b]) for a, b in rows)])
