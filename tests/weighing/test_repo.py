import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.tables import few, random_table, tables

from .plain import array, columns, per_token, simpo_gaps


def test_golden():
    # gamma 0.6; row 1: M = -20/10 + 24/10 = 0.4, gap 0.6 - 0.4 = 0.2 > 0: active
    # row 2: M = -10/10 + 40/20 = 1, gap 0.6 - 1 = -0.4: it teaches nothing any more
    frame = {
        "policy_chosen_logps": [-20.0, -10.0],
        "policy_rejected_logps": [-24.0, -40.0],
        "chosen_tokens": [10, 10],
        "rejected_tokens": [10, 20],
    }
    made = columns("repo", frame, gamma=0.6)
    assert made["repo_gap"].to_list() == pytest.approx([0.2, -0.4], abs=1e-12)
    assert made["repo_active"].to_list() == [True, False]
    assert made["weight"].to_list() == [1.0, 0.0]


@pytest.mark.parametrize("gamma", [0.1, 0.4, 3.0])
def test_it_is_the_specification(gamma):
    frame = random_table(seed=1, rows=200)
    wanted = [gamma - gap for gap in simpo_gaps(frame)]
    np.testing.assert_allclose(array(columns("repo", frame, gamma=gamma)["repo_gap"]), wanted, rtol=0, atol=1e-9)


@few
@given(tables(), st.floats(0.01, 5))
def test_active_exactly_where_the_gap_is_positive(frame, gamma):
    made = columns("repo", frame, gamma=gamma)
    assert made["repo_active"].to_list() == [gap > 0 for gap in made["repo_gap"]]
    assert made["repo_active"].to_list() == [gap < gamma for gap in simpo_gaps(frame)]


def test_a_gap_of_exactly_gamma_is_not_active():
    made = columns("repo", per_token([0.5]), gamma=0.5)
    assert (made["repo_gap"].to_list(), made["repo_active"].to_list()) == ([0.0], [False])


@pytest.mark.parametrize(("preset", "gamma"), [("gemma-2-9b-it", 0.4), ("mistral-7b-it", 0.4), ("llama-3-8b-it", 0.6)])
def test_presets(preset, gamma):
    assert columns("repo", per_token([0.0]), preset)["repo_gap"].to_list() == pytest.approx([gamma])
