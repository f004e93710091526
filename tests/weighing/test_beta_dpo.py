"""The method, and the metric of the same weight."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import SettingsError
from curate.metrics.registry import find
from curate.weighing.registry import find_method
from tests.metrics.tables import few, random_table, tables, values

from .plain import INPUTS, array, columns, dpo_gaps, moved

# A = (1, 2, 3): mean 2, std (ddof 0) sqrt(2/3); ((1 - 2) / std)^2 = 1.5; exp(-0.75) = 0.4723665527410147
GOLDEN = [0.4723665527410147, 1.0, 0.4723665527410147]


def test_golden():
    assert values("beta_dpo_weight", moved([1.0, 2.0, 3.0], [0.0] * 3)) == pytest.approx(GOLDEN, abs=1e-12)
    found = columns("beta_dpo", moved([1.0, 2.0, 3.0], [0.0] * 3))["beta_dpo_weight"].to_list()
    assert found == pytest.approx(GOLDEN, abs=1e-12)


def test_it_is_the_specification():
    frame = random_table(seed=1, rows=200)
    a = np.array(dpo_gaps(frame))
    wanted = np.exp(-0.5 * ((a - a.mean()) / np.sqrt(((a - a.mean()) ** 2).mean())) ** 2)
    found = array(columns("beta_dpo", frame)["beta_dpo_weight"])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)


def test_the_metric_reads_the_whole_table_and_prefers_the_middle():
    metric = find("beta_dpo_weight")
    assert (metric.population, metric.prefer, metric.columns) == (True, "high", INPUTS["beta_dpo"])


def test_a_beta_would_change_nothing():
    with pytest.raises(SettingsError, match="changes nothing: it cancels in the weight") as error:
        find_method("beta-dpo").parameters({"beta": "0.1"}, None)
    assert error.value.where == "--set beta_dpo.beta=0.1"


@few
@given(tables())
def test_between_0_and_1(frame):
    found = array(columns("beta_dpo", frame)["beta_dpo_weight"])
    assert ((found > 0) & (found <= 1)).all()


@few
@given(tables(), st.integers(-64, 64))
def test_moving_every_margin_moves_no_weight(frame, shift):
    further = frame.with_columns(frame["policy_chosen_logps"] + shift)
    before, after = columns("beta_dpo", frame), columns("beta_dpo", further)
    np.testing.assert_allclose(array(after["weight"]), array(before["weight"]), rtol=1e-9)


def test_margins_that_do_not_vary_weigh_1():
    assert columns("beta_dpo", moved([0.1] * 3, [0.0] * 3))["weight"].to_list() == [1.0] * 3
