"""Where two texts differ, as pieces; and how a long text is cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.reporting.differences import compared, excerpt

TEXTS = st.text(st.sampled_from("ab \n.é"), max_size=30)


@given(TEXTS, TEXTS)
def test_the_pieces_are_the_texts(chosen: str, rejected: str) -> None:
    for text, pieces in zip((chosen, rejected), compared(chosen, rejected), strict=True):
        assert "".join(part for _, part in pieces) == text
        marks = [differs for differs, _ in pieces]
        assert all(one != other for one, other in itertools.pairwise(marks))


@given(TEXTS)
def test_equal_texts_have_no_mark(text: str) -> None:
    assert not any(differs for side in compared(text, text) for differs, _ in side)


def test_white_space_between_two_differences_belongs_to_them() -> None:
    assert compared("x b c y", "x d e y") == (
        ((False, "x "), (True, "b c"), (False, " y")),
        ((False, "x "), (True, "d e"), (False, " y")),
    )


@pytest.mark.parametrize(
    ("pieces", "most", "shown"),
    [
        ([(False, "abc")], 3, "abc"),
        ([(False, "abcde")], 3, "abc ... (2 more characters)"),
        ([(True, "abcde")], 3, "abc ... (2 more characters)"),
        # The first difference is at 200: the text is shown from 80 characters before it.
        (
            [(False, "a" * 200), (True, "b" * 100)],
            100,
            "... (120 characters before) " + "a" * 80 + "b" * 20 + " ... (80 more characters)",
        ),
        # Nothing is left out before it where the rest would be shorter than what may be shown.
        ([(False, "a" * 200), (True, "b")], 100, "... (101 characters before) " + "a" * 99 + "b"),
    ],
)
def test_a_long_text_is_cut_around_its_first_difference(pieces, most, shown) -> None:
    assert "".join(part for _, part in excerpt(pieces, most)) == shown
