import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.tables import few, floats, random_table, tables

from .plain import array, columns, per_token, plain_amapo, simpo_gaps


def margins(frame, **given):
    return array(columns("amapo", frame, **given)["amapo_margin"])


def test_golden():
    # d = (0, 2): mean 1, unbiased std sqrt((1 + 1) / 1) = 1.414213562; beta 2
    # row 1: 2 * exp((1 - 0) / 1.414213562 * 1) = 2 * exp(0.707106781) = 4.056229963; row 2 lies above the mean: 0
    assert margins(per_token([0.0, 2.0])) == pytest.approx([4.056229963294945, 0.0], abs=1e-12)


@pytest.mark.parametrize("beta", [0.5, 2.0, 3.0])
def test_it_is_the_specification(beta):
    frame = random_table(seed=1, rows=200)
    found = margins(frame, beta=beta)
    np.testing.assert_allclose(found, plain_amapo(simpo_gaps(frame), beta), rtol=1e-9, atol=1e-9)


def test_batches_are_consecutive_rows():
    frame = random_table(seed=2, rows=41)
    gaps = simpo_gaps(frame)
    # 41 = 4 * 8 + 9: the row that is left over joins the last batch
    parts = [gaps[0:8], gaps[8:16], gaps[16:24], gaps[24:32], gaps[32:]]
    wanted = [margin for part in parts for margin in plain_amapo(part)]
    np.testing.assert_allclose(margins(frame, batch=8), wanted, rtol=1e-9, atol=1e-9)


@few
@given(tables())
def test_0_at_or_above_the_mean_and_positive_below(frame):
    gaps = np.array(simpo_gaps(frame))
    np.testing.assert_array_equal(margins(frame) > 0, (gaps < gaps.mean()) & (frame.height > 1))


@few
@given(tables(), st.randoms(use_true_random=False))
def test_swapping_rows_swaps_their_margins(frame, random):
    order = random.sample(range(frame.height), frame.height)
    np.testing.assert_allclose(margins(frame[order]), margins(frame)[order], rtol=1e-9, atol=1e-12)


@few
@given(tables(), st.floats(0.1, 10))
def test_the_margin_is_proportional_to_beta(frame, beta):
    np.testing.assert_allclose(margins(frame, beta=beta), beta * margins(frame, beta=1), rtol=1e-12)


def test_a_single_row_has_no_margin():
    assert margins(per_token([-1.0])).tolist() == [0.0]


def test_equal_gaps_have_no_margin():
    assert margins(per_token([0.5] * 6)).tolist() == [0.0] * 6


def test_equal_gaps_have_no_margin_where_their_mean_is_rounded():
    # (0.1 + 0.1 + 0.1) / 3 = 0.10000000000000002 in floating point
    ones = [1, 1, 1]
    frame = {
        "policy_chosen_logps": [-0.1] * 3,
        "policy_rejected_logps": [-0.2] * 3,
        "chosen_tokens": ones,
        "rejected_tokens": ones,
    }
    assert margins(frame).tolist() == [0.0] * 3


def test_presets():
    frame = random_table(seed=3, rows=9)
    for preset, beta in {"mistral-7b": 2.0, "llama-3-8b": 2.5}.items():
        found = columns("amapo", frame, preset)["amapo_margin"].to_list()
        assert found == columns("amapo", frame, beta=beta)["amapo_margin"].to_list()
    assert not any(math.isnan(value) for value in floats(found))


def test_a_pair_exactly_at_the_mean_has_no_margin():
    assert array(columns("amapo", per_token([1.0, 2.0, 3.0]))["amapo_margin"])[1:].tolist() == [0.0, 0.0]
