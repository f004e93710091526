import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from .tables import arrays, few, floats, random_table, tables, values, with_holes


def test_golden() -> None:
    # S+ = (1, 2), S- = (3, 0.5): 4 - 5 = -1; over 2 and 4 tokens 4/8 - 5/4 = -0.75
    frame = {"hidden_product": [4.0], "hidden_square": [5.0], "chosen_tokens": [2], "rejected_tokens": [4]}
    assert values("ches", frame) == [-1.0]
    assert values("ches_norm", frame) == [-0.75]


def test_against_numpy() -> None:
    frame = with_holes(random_table(seed=13, rows=300), seed=14)
    of = arrays(frame)
    product, square = of["hidden_product"], of["hidden_square"]
    np.testing.assert_allclose(floats(values("ches", frame)), product - square, rtol=1e-12)
    per_token = np.divide(product / of["rejected_tokens"] - square / of["chosen_tokens"], of["chosen_tokens"])
    np.testing.assert_allclose(floats(values("ches_norm", frame)), per_token, rtol=1e-9, atol=1e-15)


@few
@given(st.lists(st.tuples(*[st.integers(-8, 8)] * 4), min_size=1, max_size=5), st.integers(1, 50))
def test_it_is_0_for_equal_sides_and_falls_as_they_part(vectors: list[tuple[int, ...]], tokens: int) -> None:
    """Moving the rejected side away along the chosen one lowers both forms; equal sides give 0."""
    sides = np.array(vectors, float)
    square = (sides * sides).sum(1)
    for share in (1.0, 0.5):
        frame = pl.DataFrame({"hidden_product": share * square, "hidden_square": square})
        frame = frame.with_columns(chosen_tokens=pl.lit(tokens), rejected_tokens=pl.lit(tokens))
        np.testing.assert_allclose(floats(values("ches", frame)), (share - 1) * square, rtol=1e-12)
        np.testing.assert_allclose(floats(values("ches_norm", frame)), (share - 1) * square / tokens**2, atol=1e-12)


@few
@given(tables())
def test_at_one_token_a_side_both_forms_agree(frame: pl.DataFrame) -> None:
    one = frame.with_columns(chosen_tokens=pl.lit(1), rejected_tokens=pl.lit(1))
    np.testing.assert_array_equal(floats(values("ches", one)), floats(values("ches_norm", one)))
