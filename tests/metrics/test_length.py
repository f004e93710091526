import numpy as np
import polars as pl
from hypothesis import given

from .tables import arrays, few, floats, random_table, swapped, tables, values, with_holes


def test_golden_length_ratio() -> None:
    # 30 / 12 = 2.5
    assert values("length_ratio", {"chosen_tokens": [30], "rejected_tokens": [12]}) == [2.5]


def test_golden_length_difference() -> None:
    # 12 - 30 = -18, below zero although token counts come unsigned
    frame = {"chosen_tokens": pl.Series([12], dtype=pl.UInt32), "rejected_tokens": pl.Series([30], dtype=pl.UInt32)}
    assert values("length_difference", frame) == [-18.0]


def test_as_the_spec_reads() -> None:
    frame = with_holes(random_table(seed=7, rows=300), seed=8)
    a = arrays(frame)
    ratio, difference = floats(values("length_ratio", frame)), floats(values("length_difference", frame))
    np.testing.assert_allclose(ratio, a["chosen_tokens"] / a["rejected_tokens"], rtol=1e-12)
    np.testing.assert_array_equal(difference, a["chosen_tokens"] - a["rejected_tokens"])


@few
@given(tables())
def test_swapping_sides_negates_the_difference(frame: pl.DataFrame) -> None:
    forward = values("length_difference", frame)
    assert values("length_difference", swapped(frame)) == [-value for value in forward]


@few
@given(tables())
def test_swapping_sides_inverts_the_ratio(frame: pl.DataFrame) -> None:
    product = floats(values("length_ratio", frame)) * floats(values("length_ratio", swapped(frame)))
    np.testing.assert_allclose(product, 1.0, rtol=1e-12)


def test_an_empty_rejected_response_has_no_ratio() -> None:
    # 5 / 0 and 0 / 0 are no numbers: null; 0 / 5 is 0
    assert values("length_ratio", {"chosen_tokens": [5, 0, 0], "rejected_tokens": [0, 0, 5]}) == [None, None, 0.0]
