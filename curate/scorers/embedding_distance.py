"""Embedding distance of the two responses: 1 - cosine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from curate.backends import EmbeddingBackend, ModelSpec
from curate.backends.opening import open_embeddings
from curate.identity import short_name
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
    """Yields `embedding_distance`; each different text of a call is embedded once, equal texts have distance 0."""

    spec: ModelSpec
    identity: dict[str, Any] = field(default_factory=dict)
    name: str = "embedding"
    _backend: EmbeddingBackend | None = None

    @property
    def title(self) -> str:
        """Which model."""
        return f"embedder {short_name(self.spec.name)!r}"

    @property
    def schema(self) -> pa.Schema:
        """Types of what it yields."""
        return pa.schema([("embedding_distance", pa.float64())])

    def open(self) -> list[str]:
        """Load the embedder."""
        self._backend = open_embeddings(self.spec)
        return list(self._backend.notes)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of the texts, [n, dimensions]."""
        assert self._backend is not None, "open() comes first"
        return np.asarray(self._backend.embed(texts))

    def score(self, items: Sequence[PairItem], done: Set[int]) -> Iterator[Scored]:
        """Embed the texts of each call and compare them."""
        for start in range(0, len(items), CALL_SIZE):
            batch = items[start : start + CALL_SIZE]
            keys = [item.key for item in batch]
            if all(key in done for key in keys):
                continue
            places = {
                t: i for i, t in enumerate(dict.fromkeys(t for item in batch for t in (item.chosen, item.rejected)))
            }
            vectors = self.embed(list(places))
            chosen = [places[item.chosen] for item in batch]
            rejected = [places[item.rejected] for item in batch]
            distances = cosine_distances(vectors[chosen], vectors[rejected])
            distances[np.array(chosen) == np.array(rejected)] = 0.0
            yield Scored(keys, {"embedding_distance": distances.tolist()})

    def facts(self) -> dict[str, Any]:
        """Which model."""
        return {**self.identity, "device": self.spec.device}

    def close(self) -> None:
        """Free the embedder."""
        if self._backend is not None:
            self._backend.close()
        self._backend = None
