"""Shares: how they are written, and that every part belongs to exactly one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.share import Share


@given(st.integers(1, 40), st.integers(0, 10**20))
def test_every_part_belongs_to_one_share(of, place):
    assert [Share(number, of).takes(place) for number in range(1, of + 1)].count(True) == 1


@given(st.integers(1, 40))
def test_shares_are_of_equal_size(of):
    sizes = [sum(Share(number, of).takes(place) for place in range(3 * of)) for number in range(1, of + 1)]
    assert sizes == [3] * of


def test_what_is_written_is_read():
    assert Share.parse(" 2 / 8") == Share(2, 8)
    assert str(Share.parse("2/8")) == "2/8"


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "1/0", "1", "a/b", "-1/2", "1/2/3", "1.0/2"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="I/N"):
        Share.parse(text)
