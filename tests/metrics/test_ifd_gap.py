import numpy as np
import polars as pl
import pytest
from hypothesis import given

from .tables import arrays, few, floats, random_table, swapped, tables, values, with_holes


def test_golden() -> None:
    # chosen: 2 nats a token with the prompt, 4 alone: 0.5. Rejected: 3 over 2: 1.5. The gap is -1.
    frame = {"policy_chosen_logps": [-20.0], "chosen_tokens": [10], "policy_chosen_alp_alone": [-4.0]}
    frame |= {"policy_rejected_logps": [-9.0], "rejected_tokens": [3], "policy_rejected_alp_alone": [-2.0]}
    assert values("ifd_gap", frame) == [-1.0]


def test_against_numpy() -> None:
    frame = with_holes(random_table(seed=7, rows=300), seed=8)
    of = arrays(frame)
    chosen, rejected = (
        np.divide(-of[f"policy_{side}_logps"] / of[f"{side}_tokens"], -of[f"policy_{side}_alp_alone"])
        for side in ("chosen", "rejected")
    )
    np.testing.assert_allclose(floats(values("ifd_gap", frame)), chosen - rejected, rtol=1e-9, atol=1e-12)


@few
@given(tables())
def test_swapping_turns_the_sign_and_each_side_is_an_ifd(frame: pl.DataFrame) -> None:
    found, other = floats(values("ifd_gap", frame)), swapped(frame)
    np.testing.assert_array_equal(found, -floats(values("ifd_gap", other)))
    assert found == pytest.approx(floats(values("ifd", frame)) - floats(values("ifd", other)))
