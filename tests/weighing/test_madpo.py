import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.tables import few, random_table

from .plain import array, columns, plain_madpo, rewarded

margins = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=12)


def weights(h, **given):
    return array(columns("madpo", rewarded(h), **given)["madpo_weight"])


def test_golden():
    # tau 0, lambda 1, h = ln 4: exp(|h| - tau) = 4; (2 - 1) / (1 - 0.5) = 2; c = 0.5 + 1.5 / (1 + 2 * 4) = 2/3
    # sigma(c h) = 4^(2/3) / (1 + 4^(2/3)) = 2.519842100 / 3.519842100 = 0.715896318; sigma(h) = 4/5; w = 0.894870398
    found = weights([math.log(4)], tau=0)
    assert found == pytest.approx([(2.5198420997897464 / 3.5198420997897464) / 0.8], abs=1e-12)
    assert found == pytest.approx([0.89487], abs=1e-5)


@pytest.mark.parametrize(
    "given", [{}, {"c_max": 4, "c_min": 0.1, "lambda": 3, "tau": 0.5}, {"c_max": 1.5, "lambda": 0.2, "tau": 6}]
)
def test_it_is_the_specification(given):
    frame = random_table(seed=1, rows=200)
    h = (frame["chosen_reward"] - frame["rejected_reward"]).to_list()
    spelled = {("lambda_" if key == "lambda" else key): value for key, value in given.items()}
    found = array(columns("madpo", frame, **given)["madpo_weight"])
    np.testing.assert_allclose(found, [plain_madpo(one, **spelled) for one in h], rtol=1e-9, atol=1e-9)


@few
@given(margins, st.floats(0, 50))
def test_the_weight_is_1_from_minus_tau_downwards(h, tau):
    made = columns("madpo", rewarded([*h, -tau]), tau=tau)
    for one, weight, reverted in zip(
        [*h, -tau], made["madpo_weight"].to_list(), made["madpo_reverted"].to_list(), strict=True
    ):
        assert reverted == (one <= -tau)
        assert weight == 1.0 or not reverted


@few
@given(margins, st.floats(1.01, 100), st.floats(0.01, 0.99), st.floats(0.01, 100), st.floats(0, 1e4))
def test_the_weight_is_finite_and_positive(h, c_max, c_min, lambda_, tau):
    parameters = {"c_max": c_max, "c_min": c_min, "lambda": lambda_, "tau": tau}
    made = columns("madpo", rewarded([*h, 1e4, -1e4, 0.0]), **parameters)["madpo_weight"]
    assert made.null_count() == 0
    assert (array(made) >= 0).all()


@few
@given(st.floats(-1e4, 1e4), st.floats(0, 100))
def test_the_weight_is_1_at_a_margin_of_tau_and_of_0(_, tau):
    # |h| = tau: c = c_min + (c_max - c_min) / (1 + (c_max - 1) / (1 - c_min)) = c_min + (1 - c_min) = 1
    assert weights([tau, 0.0], tau=tau) == pytest.approx([1.0, 1.0], abs=1e-9)


def test_a_reward_margin_of_the_table_is_used():
    given = columns("madpo", {"reward_margin": [0.7, -1.0]})["madpo_weight"].to_list()
    assert given == columns("madpo", rewarded([0.7, -1.0]))["madpo_weight"].to_list()
