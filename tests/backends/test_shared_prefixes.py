from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.backends import shared_prefixes as prefixes
from curate.backends.shared_prefixes import common_prefix, reading_order

IDS = st.lists(st.integers(0, 2), max_size=12)


@given(IDS, IDS)
def test_common_prefix_is_the_longest(one: list[int], other: list[int]) -> None:
    n = common_prefix(one, other)
    assert one[:n] == other[:n]
    assert n == min(len(one), len(other)) or one[n] != other[n]
    assert n == common_prefix(other, one)


@given(st.lists(IDS, max_size=8))
def test_each_row_once_with_the_most_it_shares_with_any_before(rows: list[list[int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefixes, "LEAST_SHARED", 1)
        order = reading_order(rows)
    assert sorted(row for row, _ in order) == list(range(len(rows)))
    for place, (row, shared) in enumerate(order):
        earlier = [common_prefix(rows[row], rows[other]) for other, _ in order[:place]]
        assert shared == max(earlier, default=0)


def test_golden() -> None:
    prompt = list(range(100, 110))
    rows = [[*prompt, 7], [1, 2, 3], [*prompt, 3, 4], [1, 2, 9], [*prompt, 7]]
    # two tokens in common are too few to share; equal rows keep their order
    assert reading_order(rows) == [(1, 0), (3, 0), (2, 0), (0, 10), (4, 11)]
    assert reading_order([]) == []
