from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.tokens import WordsTokenizer, lists
from curate.tokens.lists import TokenLists, by_pieces, concatenated, cuts, joined
from tests.examples import examples

LISTS = st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6)
LETTER, SPACE, OTHER = range(3)
BEFORE_SPACES = cuts(["abc", " "], [(LETTER, SPACE)])


@given(LISTS, LISTS)
def test_joined_and_concatenated_lists_are_those_lists(first: list[list[int]], second: list[list[int]]) -> None:
    texts = concatenated([joined(first), joined(second)])
    assert texts.lists() == first + second
    assert texts.sizes.tolist() == [len(ids) for ids in first + second]


@given(LISTS.filter(bool), st.data())
def test_take(wanted: list[list[int]], data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, len(wanted) - 1), max_size=9))
    taken = joined(wanted).take(np.array(numbers, np.int64))
    assert taken.lists() == [wanted[i] for i in numbers]


def test_every_different_piece_is_encoded_once() -> None:
    seen: list[list[str]] = []

    def encode(pieces: Any) -> TokenLists:
        seen.append(pieces.to_pylist())
        return joined([[len(piece)] for piece in pieces.to_pylist()])

    texts = ["ab c ab", "", "c ab \u00e9 a", "  b"]
    # Cut between a letter and a space only: not behind the \u00e9, not between two spaces.
    assert by_pieces(texts, BEFORE_SPACES, encode).lists() == [[2, 2, 3], [], [1, 3, 4], [3]]
    assert seen == [["ab", " c", " ab", "c", " \u00e9 a", "  b"]]


@examples(3)
@given(
    st.lists(st.text(st.sampled_from("ab1_ ,.'-\n\t\u00e9\u0301\u4e00\uff41"), max_size=12), max_size=6),
    st.integers(1, 30),
)
def test_words_by_pieces_are_the_words(texts: list[str], batch: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lists, "BATCH_CHARACTERS", batch)
        assert WordsTokenizer().encode_lists(texts).lists() == WordsTokenizer().encode(texts)


@examples(2)
@given(st.lists(st.text(max_size=20), max_size=4))
def test_words_by_pieces_are_the_words_of_any_text(texts: list[str]) -> None:
    assert WordsTokenizer().encode_lists(texts).lists() == WordsTokenizer().encode(texts)
