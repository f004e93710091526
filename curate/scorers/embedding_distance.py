"""Embedding distance of the two responses: 1 - cosine."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from curate.backends import EmbeddingBackend, ModelSpec
from curate.backends.open import open_embeddings
from curate.scorers import PairItem, Scored

CALL_SIZE = 256


def cosine_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """1 - cosine of first[i] and second[i], float64 [n], within 0..2, from vectors [n, dimensions] of any length."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = (a * b).sum(axis=1) / np.where(lengths == 0, 1.0, lengths)
    distances: np.ndarray = np.clip(1.0 - cosine, 0.0, 2.0)
    return distances


@dataclass
class EmbeddingDistance:
    """Yields `embedding_distance`; embeds each distinct text of the items once, equal texts have distance 0."""

    spec: ModelSpec
    identity: dict[str, Any] = field(default_factory=dict)
    name: str = "embedding"
    _backend: EmbeddingBackend | None = None

    @property
    def title(self) -> str:
        """Which model."""
        return f"embedder {self.spec.model.short!r}"

    @property
    def schema(self) -> pa.Schema:
        """Types of the columns."""
        return pa.schema([("embedding_distance", pa.float64())])

    def open(self) -> list[str]:
        """Load the embedder."""
        self._backend = open_embeddings(self.spec)
        return list(self._backend.notes)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of the texts, [n, dimensions]."""
        assert self._backend is not None, "open() comes first"
        return np.asarray(self._backend.embed(texts))

    def score(self, items: Sequence[PairItem], done: Container[int]) -> Iterator[Scored]:
        """Embed the texts and compare them, a few hundred pairs at a time.

        A text is embedded in the call in which it first appears among these items, even if that call itself is done: it
        then has the same neighbours as before, and so exactly the same vector.
        """
        calls = [items[start : start + CALL_SIZE] for start in range(0, len(items), CALL_SIZE)]
        first_call: dict[str, int] = {}
        for number, batch in enumerate(calls):
            for item in batch:
                first_call.setdefault(item.chosen, number)
                first_call.setdefault(item.rejected, number)
        vectors: dict[str, np.ndarray] = {}
        for batch in calls:
            keys = [item.key for item in batch]
            if all(key in done for key in keys):
                continue
            texts = [item.chosen for item in batch], [item.rejected for item in batch]
            for number in sorted({first_call[text] for side in texts for text in side if text not in vectors}):
                new = [text for text, call in first_call.items() if call == number]
                vectors |= dict(zip(new, self.embed(new), strict=True))
            sides = [np.stack([vectors[text] for text in side]) for side in texts]
            distances = cosine_distances(*sides)
            distances[[chosen == rejected for chosen, rejected in zip(*texts, strict=True)]] = 0.0
            yield Scored(keys, {"embedding_distance": distances.tolist()})

    def facts(self) -> dict[str, Any]:
        """Which model."""
        return {**self.identity, "device": self.spec.device.split(":")[0]}

    def close(self) -> None:
        """Free the embedder."""
        if self._backend is not None:
            self._backend.close()
        self._backend = None
