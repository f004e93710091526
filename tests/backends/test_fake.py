from __future__ import annotations

import numpy as np

from curate.backends import ModelSpec
from curate.backends.fake import FakeBackend, FakeTokenizer, is_fake
from curate.render import Rendered


def test_numbers_depend_on_seed_and_on_every_token() -> None:
    backend, other = FakeBackend(ModelSpec("fake:1")), FakeBackend(ModelSpec("fake:2"))
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
    vectors = FakeBackend(ModelSpec("fake:1")).embed(["a", "b", ""])
    assert vectors.shape == (3, 8)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
    assert FakeBackend(ModelSpec("fake:1")).embed([]).shape == (0, 8)


def test_tokenizer_gives_a_piece_the_same_id_everywhere() -> None:
    assert FakeTokenizer().encode(["hi yo hi"])[0][0] == FakeTokenizer().encode(["hi"])[0][0]
    assert len(FakeTokenizer().encode(["a b"])[0]) == 3
    assert is_fake("fake:1")
    assert not is_fake("faker")
