from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.metrics.alignment_potential import zscore

from .tables import arrays, few, floats, random_table, swapped, tables, values, with_holes

FORMS: list[dict[str, Any]] = [
    {},
    {"weight": 2.5},
    {"form": "zscore", "weight": 0.0},
    {"form": "raw"},
    {"form": "raw", "implicit": "simpo", "beta": 10.0},
    {"form": "raw", "implicit": "dpo", "beta": 0.1},
    {"form": "raw", "implicit": "dpo", "beta": 1.0},
]


def test_golden_zscore_form() -> None:
    # |reward margin|: 1, 3 -> mean 2, std (ddof 0) 1 -> z -1, +1
    # |alp margin|: |-2/2 - (-6/2)| = 2 and |-8/4 - (-8/4)| = 0 -> mean 1, std 1 -> z +1, -1
    # weight 1: -1 - 1 = -2 and 1 + 1 = 2; weight 2.5: -1 - 2.5 = -3.5 and 1 + 2.5 = 3.5
    frame = {
        "chosen_reward": [0.0, 4.0],
        "rejected_reward": [1.0, 1.0],
        "policy_chosen_logps": [-2.0, -8.0],
        "policy_rejected_logps": [-6.0, -8.0],
        "chosen_tokens": [2, 4],
        "rejected_tokens": [2, 4],
    }
    assert values("alignment_potential", frame) == [-2.0, 2.0]
    assert values("alignment_potential", frame, weight=2.5) == [-3.5, 3.5]


RAW_PAIR = {
    "chosen_reward": [1.0],
    "rejected_reward": [4.0],
    "policy_chosen_logps": [-6.0],
    "policy_rejected_logps": [-6.0],
    "chosen_tokens": [4],
    "rejected_tokens": [2],
    "ref_chosen_logps": [-8.0],
    "ref_rejected_logps": [-3.0],
}


def test_golden_raw_form() -> None:
    # |1 - 4| = 3; simpo: -6/4 - (-6/2) = 1.5 -> 3 - 1.5 = 1.5; with beta 2: 3 - 3 = 0
    assert values("alignment_potential", RAW_PAIR, form="raw") == [1.5]
    assert values("alignment_potential", RAW_PAIR, form="raw", beta=2.0) == [0.0]
    # dpo: (-6 + 8) - (-6 + 3) = 2 + 3 = 5, beta 0.5 -> 3 - 2.5 = 0.5
    assert values("alignment_potential", RAW_PAIR, form="raw", implicit="dpo", beta=0.5) == [0.5]


def test_golden_raw_dpo_form_takes_the_beta_of_dpo_margin() -> None:
    # 3 - 0.1 * 5 = 2.5
    assert values("alignment_potential", RAW_PAIR, form="raw", implicit="dpo") == [2.5]


def spec_alignment_potential(
    frame: pl.DataFrame, form: str = "zscore", implicit: str = "simpo", weight: float = 1.0, beta: float = 1.0
) -> np.ndarray:
    a = arrays(frame)
    reward = np.abs(a["chosen_reward"] - a["rejected_reward"])
    simpo = a["policy_chosen_logps"] / a["chosen_tokens"] - a["policy_rejected_logps"] / a["rejected_tokens"]
    dpo = a["policy_chosen_logps"] - a["ref_chosen_logps"] - (a["policy_rejected_logps"] - a["ref_rejected_logps"])
    if form == "raw":
        return reward - np.abs(beta * {"simpo": simpo, "dpo": dpo}[implicit])

    def z(x: np.ndarray) -> np.ndarray:
        mean = np.nansum(x) / np.sum(~np.isnan(x))
        return (x - mean) / np.sqrt(np.nansum((x - mean) ** 2) / np.sum(~np.isnan(x)))

    return z(reward) - weight * z(np.abs(simpo))


@pytest.mark.parametrize("parameters", FORMS, ids=str)
def test_as_the_spec_reads(parameters: dict[str, Any]) -> None:
    frame = with_holes(random_table(seed=14, rows=300), seed=15)
    got = floats(values("alignment_potential", frame, **parameters))
    np.testing.assert_allclose(got, spec_alignment_potential(frame, **parameters), rtol=1e-9, atol=1e-9)


def test_only_the_raw_dpo_form_needs_a_reference() -> None:
    frame = random_table(seed=16, rows=20).drop("ref_chosen_logps", "ref_rejected_logps")
    for parameters in FORMS:
        if (parameters.get("form"), parameters.get("implicit")) != ("raw", "dpo"):
            assert None not in values("alignment_potential", frame, **parameters)
    without_tokens = random_table(seed=16, rows=20).drop("chosen_tokens", "rejected_tokens")
    assert None not in values("alignment_potential", without_tokens, form="raw", implicit="dpo")


@few
@given(tables(), st.sampled_from(FORMS))
def test_swapping_sides_changes_nothing(frame: pl.DataFrame, parameters: dict[str, Any]) -> None:
    forward = values("alignment_potential", frame, **parameters)
    assert values("alignment_potential", swapped(frame), **parameters) == forward


@few
@given(st.integers(1, 30), st.floats(-1e9, 1e9))
def test_zero_std_gives_zero(rows: int, value: float) -> None:
    assert zscore(pl.Series([value] * rows)).to_list() == [0.0] * rows
    assert zscore(pl.Series([value, None] * rows)).to_list() == [0.0, None] * rows


def test_zero_std_of_one_margin_leaves_the_other() -> None:
    # every |reward margin| is 2 -> z 0; |alp margin| 1 and 3 -> z -1, +1; 0 - z = 1, -1
    frame = {
        "chosen_reward": [2.0, 0.0],
        "rejected_reward": [0.0, 2.0],
        "policy_chosen_logps": [-1.0, -1.0],
        "policy_rejected_logps": [-2.0, -4.0],
        "chosen_tokens": [1, 1],
        "rejected_tokens": [1, 1],
    }
    assert values("alignment_potential", frame) == [1.0, -1.0]


@few
@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=50).filter(lambda drawn: len(set(drawn)) > 1))
def test_zscore_has_mean_zero_and_std_one(drawn: list[int]) -> None:
    scored = zscore(pl.Series(drawn, dtype=pl.Float64)).to_numpy()
    assert scored.mean() == pytest.approx(0, abs=1e-9)
    assert scored.std(ddof=0) == pytest.approx(1, rel=1e-9)


def test_one_response_without_tokens_does_not_null_the_whole_column() -> None:
    frame = random_table(seed=17, rows=10).with_columns(
        chosen_tokens=pl.Series([0, *[7] * 9]), policy_chosen_logps=pl.Series([0.0, *[-14.0] * 9])
    )
    assert [value is None for value in values("alignment_potential", frame)] == [True] + [False] * 9
