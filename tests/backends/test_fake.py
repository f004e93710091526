from __future__ import annotations

import re
from typing import Any

import numpy as np

from curate.backends import ModelSpec, Sample, Sampling
from curate.backends.fake import SAYINGS, FakeBackend, FakeTokenizer
from curate.model import Model
from curate.render import Rendered


def test_numbers_depend_on_seed_and_on_every_token() -> None:
    backend, other = FakeBackend(ModelSpec.of("fake:1")), FakeBackend(ModelSpec.of("fake:2"))
    row, changed = Rendered([1, 2, 3, 4], 2, "exact"), Rendered([1, 2, 3, 5], 2, "exact")
    assert backend.logps([row, changed, row]) == [
        *backend.logps([row]),
        *backend.logps([changed]),
        *backend.logps([row]),
    ]
    assert len({*backend.logps([row, changed]), *other.logps([row])}) == 3
    assert -8 <= backend.logps([row])[0] <= 0
    assert len({*backend.rewards([[1, 2], [2, 1]]), *other.rewards([[1, 2]])}) == 3
    assert all(-5 <= r <= 5 for r in backend.rewards([[i] for i in range(50)]))


def test_embeddings_are_unit_vectors() -> None:
    vectors = FakeBackend(ModelSpec.of("fake:1")).embed(["a", "b", ""])
    assert vectors.shape == (3, 8)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
    assert FakeBackend(ModelSpec.of("fake:1")).embed([]).shape == (0, 8)


def test_tokenizer_gives_a_piece_the_same_id_everywhere() -> None:
    assert FakeTokenizer().encode(["hi yo hi"])[0][0] == FakeTokenizer().encode(["hi"])[0][0]
    assert len(FakeTokenizer().encode(["a b"])[0]) == 3
    assert [Model.of(name).kind for name in ("fake:1", "faker")] == ["fake", "hub"]


def test_responses_are_words_that_can_be_read() -> None:
    tokenizer, backend = FakeTokenizer(), FakeBackend(ModelSpec.of("fake:1"))
    prompt = tokenizer.encode([tokenizer.template([{"role": "user", "content": "hi"}], True)])[0]
    made = backend.generate([prompt] * 40, range(40), Sampling())
    texts = tokenizer.decode([sample.ids[:-1] for sample in made])
    assert all(set(text.split()) <= set(SAYINGS) for text in texts)
    assert len(set(texts)) > 10
    for sample, text in zip(made, texts, strict=True):
        # what the template makes of the text are the very ids that were drawn
        whole = tokenizer.template([{"role": "user", "content": "hi"}, {"role": "assistant", "content": text}], False)
        assert tokenizer.encode([whole])[0] == prompt + sample.ids
        assert sample.ids[-1:] == list(tokenizer.turn_ends())
        assert sample.logps == backend.logps([Rendered(prompt + sample.ids, len(prompt), "exact")])[0]
    assert tokenizer.decode([[1]]) == ["?"]


def test_a_prompt_that_asks_for_ratings_gets_them_mostly() -> None:
    tokenizer, backend = FakeTokenizer(), FakeBackend(ModelSpec.of("fake:1"))
    prompts = tokenizer.encode([f"Rating {i}" for i in range(60)])
    texts = tokenizer.decode([s.ids for s in backend.generate(prompts, [0] * 60, Sampling(temperature=0.0))])
    rated = [text for text in texts if re.fullmatch(r"Rating A: \d+ Rating B: \d+ Rating: \d+\n", text)]
    assert 40 < len(rated) < 60


def test_a_response_depends_on_prompt_seed_and_sampling_alone() -> None:
    backend = FakeBackend(ModelSpec.of("fake:1"))

    def one(prompt: list[int], seed: int, **sampling: Any) -> Sample:
        return backend.generate([prompt], [seed], Sampling(**sampling))[0]

    assert one([1, 2], 5) == one([1, 2], 5)
    others = [one([1, 3], 5), one([1, 2], 6), one([1, 2], 5, temperature=0.5), one([1, 2], 5, top_p=0.5)]
    assert all(other != one([1, 2], 5) for other in others)
    assert one([1, 2], 5, temperature=0.0) == one([1, 2], 6, temperature=0.0)
    short = [one([1, 2], seed, max_tokens=9) for seed in range(20)]
    assert all(len(s.ids) <= 9 for s in short)
    assert {s.finish_reason for s in short} == {"stop", "length"}
    assert all((s.finish_reason == "stop") == (one([1, 2], i).ids == s.ids) for i, s in enumerate(short))
