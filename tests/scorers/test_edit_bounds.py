from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate.scorers.edit_bounds import least_by_length, least_by_tokens, token_counts
from curate.tokens.lists import joined
from tests.examples import examples

from .test_edit_distance import plain

LISTS = st.lists(st.lists(st.sampled_from([0, 1, 2, 3, 70_000]), max_size=9), min_size=1, max_size=5)


@examples(2)
@given(LISTS)
def test_no_distance_is_below_its_bounds(lists: list[list[int]]) -> None:
    first, second = (places.ravel() for places in np.indices((len(lists), len(lists))))
    texts = joined(lists)
    distances = np.array([plain(lists[a], lists[b]) for a, b in zip(first, second, strict=True)])
    by_length = least_by_length(texts.sizes[first], texts.sizes[second])
    by_tokens = least_by_tokens(texts, first, second)
    assert (by_length <= by_tokens).all()
    assert (by_tokens <= distances).all()


def test_golden_bounds() -> None:
    # 1 1 2 against 1 2 2 3: in common 1 and 2, so 4 - 2; against 2 1 1: all in common, whatever the order
    texts = joined([[1, 1, 2], [1, 2, 2, 3], [2, 1, 1], []])
    first, second = np.array([0, 0, 0, 3]), np.array([1, 2, 3, 3])
    assert least_by_tokens(texts, first, second).tolist() == [2, 0, 3, 0]
    assert least_by_length(texts.sizes[first], texts.sizes[second]).tolist() == [1, 0, 3, 0]


@given(LISTS)
def test_every_token_is_counted_once(lists: list[list[int]]) -> None:
    counts = token_counts(joined(lists))
    different = {token for ids in lists for token in ids}
    assert counts.shape == (len(lists), len(different))
    for ids, row in zip(lists, counts, strict=True):
        assert sorted(row[row > 0].tolist()) == sorted(ids.count(token) for token in set(ids))


def test_a_text_with_more_of_a_token_than_sixteen_bits_can_count() -> None:
    texts = joined([[7] * 70_000, [7] * 70_001])
    assert least_by_tokens(texts, np.array([0]), np.array([1])).tolist() == [1]
