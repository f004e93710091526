import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from .tables import arrays, few, floats, random_table, swapped, tables, values, with_holes


def test_golden_simpo_margin() -> None:
    # chosen: -6 / 4 = -1.5 nats per token; rejected: -6 / 2 = -3; -1.5 - (-3) = 1.5; with beta 10: 15
    frame = {
        "policy_chosen_logps": [-6.0],
        "policy_rejected_logps": [-6.0],
        "chosen_tokens": [4],
        "rejected_tokens": [2],
    }
    assert values("simpo_margin", frame) == [1.5]
    assert values("simpo_margin", frame, beta=10.0) == [15.0]


@pytest.mark.parametrize("beta", [1.0, 2.5, 10.0])
def test_as_the_spec_reads(beta: float) -> None:
    frame = with_holes(random_table(seed=5, rows=300), seed=6)
    a = arrays(frame)
    chosen = a["policy_chosen_logps"] / a["chosen_tokens"]
    rejected = a["policy_rejected_logps"] / a["rejected_tokens"]
    np.testing.assert_allclose(
        floats(values("simpo_margin", frame, beta=beta)), beta * (chosen - rejected), rtol=1e-9, atol=1e-12
    )


@few
@given(tables(), st.sampled_from([0.5, 1.0, 10.0]))
def test_swapping_sides_negates_the_margin(frame: pl.DataFrame, beta: float) -> None:
    forward = values("simpo_margin", frame, beta=beta)
    assert values("simpo_margin", swapped(frame), beta=beta) == [-value for value in forward]


@few
@given(tables())
def test_the_reference_is_not_read(frame: pl.DataFrame) -> None:
    without = frame.drop("ref_chosen_logps", "ref_rejected_logps")
    assert values("simpo_margin", without) == values("simpo_margin", frame)


def test_a_response_without_tokens_has_no_margin() -> None:
    # 0 nats over 0 tokens is no number: null, and the row beside it keeps its own -2/2 - (-6/2) = 2
    frame = {
        "policy_chosen_logps": [0.0, -2.0],
        "policy_rejected_logps": [-6.0, -6.0],
        "chosen_tokens": [0, 2],
        "rejected_tokens": [2, 2],
    }
    assert values("simpo_margin", frame) == [None, 2.0]
