from __future__ import annotations

import numpy as np

from curate.backends import ModelSpec
from curate.backends.sentence import SentenceEmbedder
from curate.backends.vllm.models import VllmEmbedder
from curate.model import Model
from tests.vllm.models import opened

TEXTS = ["Paris is the capital of France.", "The capital of France is Paris.", "Bananas are yellow.", "", "word " * 600]


def test_minilm_agrees_with_sentence_transformers() -> None:
    theirs = SentenceEmbedder(ModelSpec(Model.of_embedder("minilm"), device="cpu"))
    ours = opened(VllmEmbedder, ModelSpec(Model.of_embedder("minilm"), device="cpu", dtype="float32", backend="vllm"))
    vectors = ours.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert np.abs(vectors - theirs.embed(TEXTS)).max() < 1e-5
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    assert np.abs(vectors[::-1] - ours.embed(TEXTS[::-1])).max() < 1e-5
    assert ours.facts()["max_tokens"] == theirs.facts()["max_tokens"] == 256
    assert ours.notes == theirs.notes
