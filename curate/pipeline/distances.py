"""Distances of many pairs of a few texts: each text is tokenised and embedded once, each two compared once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curate.pipeline.measure import Numbers
from curate.scorers.edit_distance import EditDistance, edit_distances, normalised
from curate.scorers.embedding_distance import EmbeddingDistance, cosine_distances


@dataclass(frozen=True)
class Distances:
    """Measures pairs of slots. `embedding` must be open."""

    edit: EditDistance
    embedding: EmbeddingDistance | None

    def measure(self, texts: dict[int, str], chosen: np.ndarray, rejected: np.ndarray) -> Numbers:
        """The pairs' columns, float64 [n] each: distances and the texts' token counts."""
        places = {text: i for i, text in enumerate(dict.fromkeys(texts.values()))}
        ids = self.edit.tokenizer.encode(list(places))
        sizes = np.array([len(one) for one in ids], np.float64)
        first = np.array([places[texts[slot]] for slot in chosen.tolist()], np.int64)
        second = np.array([places[texts[slot]] for slot in rejected.tolist()], np.int64)
        low, high = np.minimum(first, second), np.maximum(first, second)
        unique, back = np.unique(np.stack([low, high], axis=1), axis=0, return_inverse=True)
        edits = edit_distances([ids[i] for i in unique[:, 0]], [ids[i] for i in unique[:, 1]])[back.ravel()]
        found = {
            "edit_distance": edits.astype(np.float64),
            "edit_distance_norm": normalised(edits, sizes[first], sizes[second]),
            "chosen_text_tokens": sizes[first],
            "rejected_text_tokens": sizes[second],
        }
        if self.embedding is not None:
            vectors = self.embedding.embed(list(places))
            cosine = np.concatenate(
                [
                    cosine_distances(vectors[first[i : i + 4096]], vectors[second[i : i + 4096]])
                    for i in range(0, first.size, 4096)
                ]
                or [np.zeros(0)]
            )
            found["embedding_distance"] = np.where(first == second, 0.0, cosine)
        return found
