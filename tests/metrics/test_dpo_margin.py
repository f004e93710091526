import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.metrics import registry

from .tables import arrays, few, floats, random_table, swapped, tables, values, with_holes

PAIR = {
    "policy_chosen_logps": [-10.0],
    "ref_chosen_logps": [-14.0],
    "policy_rejected_logps": [-23.0],
    "ref_rejected_logps": [-20.0],
}


def test_golden_dpo_margin() -> None:
    # chosen: -10 - (-14) = 4; rejected: -23 - (-20) = -3; 0.1 * (4 - (-3)) = 0.7; with beta 2: 14
    assert values("dpo_margin", PAIR) == pytest.approx([0.7], rel=1e-12)
    assert values("dpo_margin", PAIR, beta=2.0) == [14.0]


def test_golden_dpo_gap() -> None:
    # the DPO margin itself: 0.1 * ((-10 + 14) - (-23 + 20)) = 0.1 * 7 = 0.7, the smallest first
    assert values("dpo_gap", PAIR) == pytest.approx([0.7], rel=1e-12)
    assert registry.find("dpo_gap").prefer == "low"
    assert registry.find("dpo_margin").prefer == "high"


def test_the_gap_follows_the_beta_of_the_margin() -> None:
    # 0.5 * 7 = 3.5
    gap, _ = registry.compute("dpo_gap", pl.DataFrame(PAIR), {"dpo_margin": {"beta": 0.5}})
    assert gap.to_list() == [3.5]


@pytest.mark.parametrize("beta", [0.1, 0.01, 2.0])
def test_as_the_spec_reads(beta: float) -> None:
    frame = with_holes(random_table(seed=3, rows=300), seed=4)
    a = arrays(frame)
    chosen = a["policy_chosen_logps"] - a["ref_chosen_logps"]
    rejected = a["policy_rejected_logps"] - a["ref_rejected_logps"]
    np.testing.assert_allclose(
        floats(values("dpo_margin", frame, beta=beta)), beta * (chosen - rejected), rtol=1e-9, atol=1e-12
    )


@few
@given(tables(), st.sampled_from([0.01, 0.1, 1.0, 3.0]))
def test_swapping_sides_negates_the_margin(frame: pl.DataFrame, beta: float) -> None:
    forward = values("dpo_margin", frame, beta=beta)
    assert values("dpo_margin", swapped(frame), beta=beta) == [-value for value in forward]


@few
@given(tables())
def test_a_policy_that_is_its_reference_has_no_margin(frame: pl.DataFrame) -> None:
    frozen = frame.with_columns(
        ref_chosen_logps=pl.col("policy_chosen_logps"), ref_rejected_logps=pl.col("policy_rejected_logps")
    )
    assert values("dpo_margin", frozen) == [0.0] * frame.height
