import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from curate.errors import SettingsError
from tests.metrics.tables import few, random_table, tables

from .plain import array, columns, moved, ratios


def test_golden():
    # beta 0.1, alpha 0.3; row 1: lr+ = 1, lr- = -2: 0.1 * min(1, 0.3 * 2 = 0.6) = 0.06, the rejected side binds
    # row 2: lr+ = -1, lr- = -2: 0.1 * min(-1, 0.6) = -0.1, the chosen side binds and lost probability
    # row 3: lr+ = 3, lr- = 2: 0.1 * min(3, -0.3 * 2 = -0.6) = -0.06, the rejected side binds
    made = columns("bpo", moved([1.0, -1.0, 3.0], [-2.0, -2.0, 2.0]))
    assert made["bpo_margin"].to_list() == pytest.approx([0.06, -0.1, -0.06], abs=1e-12)
    assert made["bpo_binding"].to_list() == ["rejected", "chosen", "rejected"]
    assert made["chosen_degraded"].to_list() == [False, True, False]


@pytest.mark.parametrize(("beta", "alpha"), [(0.1, 0.3), (1.0, 1.0), (2.5, 0.05)])
def test_it_is_the_specification(beta, alpha):
    frame = random_table(seed=1, rows=200)
    made = columns("bpo", frame, beta=beta, alpha=alpha)
    sides = list(zip(ratios(frame, "chosen"), ratios(frame, "rejected"), strict=True))
    wanted = [beta * min(up, -alpha * down) for up, down in sides]
    np.testing.assert_allclose(array(made["bpo_margin"]), wanted, rtol=1e-9, atol=1e-9)
    assert made["chosen_degraded"].to_list() == [up < 0 for up, _ in sides]
    binding = ["chosen" if up < -alpha * down else "rejected" for up, down in sides]
    assert made["bpo_binding"].to_list() == binding


@few
@given(tables(), st.floats(0.01, 10), st.floats(0.01, 10))
def test_the_margin_is_the_smaller_of_both_sides(frame, beta, alpha):
    up, down = np.array(ratios(frame, "chosen")), np.array(ratios(frame, "rejected"))
    assume(up.any() or down.any())
    made = columns("bpo", frame, beta=beta, alpha=alpha)
    found, chosen_side, rejected_side = array(made["bpo_margin"]), beta * up, -beta * alpha * down
    np.testing.assert_allclose(found, np.minimum(chosen_side, rejected_side), rtol=1e-12, atol=1e-12)
    binds = (made["bpo_binding"] == "chosen").to_numpy()
    np.testing.assert_allclose(found, np.where(binds, chosen_side, rejected_side), rtol=1e-12, atol=1e-12)


def test_one_and_the_same_model_is_refused():
    frame = random_table(seed=2, rows=5)
    same = frame.with_columns(ref_chosen_logps="policy_chosen_logps", ref_rejected_logps="policy_rejected_logps")
    with pytest.raises(SettingsError, match="differs from the reference"):
        columns("bpo", same)
    # rows that could not be measured do not hide it
    with pytest.raises(SettingsError, match="differs from the reference"):
        columns("bpo", pl.concat([same, frame.head(1).with_columns(ref_chosen_logps=pl.lit(None, pl.Float64))]))


def test_one_row_that_moved_is_enough():
    assert columns("bpo", moved([0.0, 0.0], [0.0, 1.0]))["bpo_margin"].to_list() == pytest.approx([0.0, -0.03])


def test_where_both_sides_bind_alike_it_is_the_chosen_one_and_nothing_gained_is_not_degraded():
    # lr+ = 3, -0.5 * lr- = 3; and 0 against 0 beside it
    found = columns("bpo", moved([3.0, 0.0], [-6.0, 0.0]), alpha=0.5)
    assert found["bpo_binding"].to_list() == ["chosen", "chosen"]
    assert found["chosen_degraded"].to_list() == [False, False]
