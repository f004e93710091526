"""The table of pairs: what counts as an outlier of length."""

import math

import polars as pl
import pytest

from curate.pairs.table import length_outliers


def outliers(chosen: list[int | None], rejected: list[int | None]) -> list[bool]:
    frame = pl.DataFrame(
        {"chosen_tokens": chosen, "rejected_tokens": rejected}, schema_overrides={"chosen_tokens": pl.Int32}
    )
    return length_outliers(frame).to_list()


@pytest.mark.parametrize("side", [0, 1])
def test_a_length_is_an_outlier_beyond_three_interquartile_ranges_of_its_logarithm(side: int) -> None:
    # log2(n + 1) of the sides: 40 times 3 (n = 7) and 40 times 4 (n = 15), so that the quartiles are 3 and 4, and the
    # reach is 3 * (4 - 3) = 3: from 0 to 7, or from n = 0 to n = 127
    usual = [7] * 20 + [15] * 20
    assert math.log2(7 + 1) == 3 and math.log2(127 + 1) == 7
    for tokens, outside in ((127, False), (63, False), (31, False), (128, True), (0, False), (5000, True)):
        sides = [[*usual, 7], [*usual, 15]]
        sides[side][-1] = tokens
        assert outliers(*sides) == [False] * 40 + [outside], tokens


def test_lengths_that_hardly_vary_or_are_unknown_have_no_outliers() -> None:
    assert outliers([7] * 9 + [5000], [7] * 10) == [False] * 10
    assert outliers([None, None], [None, None]) == [False, False]
    assert outliers([], []) == []
