from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.backends import OutOfMemory
from curate.backends.shared_prefixes import reading_order
from curate.errors import ModelError
from curate.scorers.batching import halving, packed_batches, token_batches

LENGTHS = st.lists(st.integers(0, 50), max_size=40)


@given(LENGTHS, st.integers(1, 200), st.booleans())
def test_every_position_once_within_the_budget(lengths: list[int], budget: int, one_length: bool) -> None:
    batches = token_batches(lengths, budget, one_length=one_length)
    assert sorted(p for batch in batches for p in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[p] for p in batch) * len(batch) <= budget
        if one_length:
            assert len({lengths[p] for p in batch}) == 1
    assert batches == token_batches(lengths, budget, one_length=one_length)


@given(LENGTHS, st.integers(1, 200))
def test_longest_first_and_equal_ones_in_order(lengths: list[int], budget: int) -> None:
    order = [p for batch in token_batches(lengths, budget) for p in batch]
    assert order == sorted(order, key=lambda p: (-lengths[p], p))


@given(LENGTHS, st.integers(1, 200))
def test_no_batch_could_have_taken_the_next_row(lengths: list[int], budget: int) -> None:
    batches = token_batches(lengths, budget)
    for batch in batches[:-1]:
        assert lengths[batch[0]] * (len(batch) + 1) > budget


def test_batches_golden() -> None:
    # 9 alone (2 * 9 > 12); 4 4 3 (3 * 4 = 12); 2 1
    assert token_batches([4, 1, 9, 4, 2, 3], 12) == [[2], [0, 3, 5], [4, 1]]
    assert token_batches([4, 1, 9, 4, 2, 3], 12, one_length=True) == [[2], [0, 3], [5], [4], [1]]
    assert token_batches([], 12) == []


PROMPTS = [[], list(range(50, 60)), list(range(50, 90)), list(range(20, 45))]
ROWS = st.lists(
    st.builds(lambda p, r: [*p, *r], st.sampled_from(PROMPTS), st.lists(st.integers(0, 3), max_size=30)), max_size=30
)


def cost(rows: list[list[int]]) -> int:
    """Tokens that a backend which packs must read."""
    return sum(len(rows[i]) - shared for i, shared in reading_order(rows))


@given(ROWS, st.integers(1, 200))
def test_packed_batches_hold_every_row_once_within_the_budget(rows: list[list[int]], budget: int) -> None:
    batches = packed_batches(rows, budget)
    assert sorted(p for batch in batches for p in batch) == list(range(len(rows)))
    for batch in batches:
        longest = max(len(rows[p]) for p in batch)
        assert len(batch) == 1 or cost([rows[p] for p in batch]) <= max(budget, longest + longest // 4)
    assert batches == packed_batches(rows, budget)


def test_packed_batches_golden() -> None:
    prompt = list(range(100, 110))
    rows = [[*prompt, 1, 2], [5] * 9, [*prompt, 2], [*prompt, 3, 3, 3], [], [*prompt, 4, 4]]
    # [] 9 | 12 + 1 + 3 | 12: the prompt is read again
    assert packed_batches(rows, 16) == [[4, 1], [0, 2, 3], [5]]
    # 12 + 1 + 3 + 2 = 18
    assert packed_batches(rows, 18) == [[4, 1], [0, 2, 3, 5]]
    assert packed_batches([], 18) == []


def test_other_responses_to_a_prompt_longer_than_the_budget_share_it() -> None:
    prompt = list(range(100, 200))
    rows = [[*prompt, i] + [7] * 9 for i in range(5)]
    # 110 alone exceeds the budget; 110 // 4 = 27 more tokens are let in: two of ten
    assert packed_batches(rows, 64) == [[0, 1, 2], [3, 4]]


@given(st.lists(st.integers(-9999, 9999), min_size=1, max_size=30), st.integers(1, 8))
def test_halving_gives_each_row_its_number(rows: list[int], most: int) -> None:
    ran: list[int] = []

    def work(some: Sequence[int]) -> list[float]:
        if len(some) > most:
            raise OutOfMemory("full")
        ran.extend(some)
        return [float(2 * r) for r in some]

    assert halving(work, rows) == [2 * r for r in rows]
    assert ran == rows


def test_one_row_that_does_not_fit_is_an_error() -> None:
    def work(some: Sequence[int]) -> list[float]:
        raise OutOfMemory("CUDA: 80 GiB")

    with pytest.raises(ModelError, match="One response alone") as caught:
        halving(work, [1, 2, 3])
    assert "--max-length" in caught.value.hint
    assert "80 GiB" in caught.value.where
