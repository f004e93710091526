import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.tables import few, random_table

from .plain import array, columns, dpo_gaps, moved, per_token, plain_gamma_po, simpo_gaps

PUBLISHED = {
    "llama-3-8b-it": (10, 0.4, 10),
    "gemma-2-9b-it": (10, 0.5, 20),
    "mistral-7b-it": (2.5, 0.15, 10),
    "qwen2.5-7b-it": (10, 0.3, 3),
}
gap_lists = st.lists(st.integers(-320, 320).map(lambda k: k / 64), min_size=1, max_size=12)
# beta 1, ratio 1: gamma0 = 1; tau 0.5: eta = min(0.5 / 0.5, 1) = 1; B = 2, p = (1/2, 1/2), so gamma = (1, 1)
# r = gap = (1, 1 - ln 3): sigma(1 - 1) = 1/2 and sigma(ln 3) = 3/4; the entropy term is the same for both, so that
# p is proportional to (exp(-1/2), exp(-3/4)): p_1 = 1 / (1 + exp(-1/4)) = 0.5621765008857981
# gamma = 1 * 2 * p = (1.1243530017715962, 0.8756469982284038)
GOLDEN_GAPS = [1.0, 1.0 - math.log(3)]
GOLDEN = [1.1243530017715962, 0.8756469982284038]
ONE_STEP = {"beta": 1, "ratio": 1, "tau": 0.5, "steps": 1}


def margins(gaps, **given):
    return array(columns("gamma_po", per_token(gaps), **given)["gamma_po_margin"])


@pytest.mark.parametrize("batch", ["all", 2, 256])
def test_golden(batch):
    assert margins(GOLDEN_GAPS, batch=batch, **ONE_STEP) == pytest.approx(GOLDEN, abs=1e-12)


def test_golden_of_the_dpo_form():
    # the same r from log-ratios; the DPO form takes gamma0 = 1 off: +-0.1243530017715962
    frame = moved(GOLDEN_GAPS, [0.0, 0.0])
    found = array(columns("gamma_po", frame, form="dpo", **ONE_STEP)["gamma_po_margin"])
    assert found == pytest.approx([0.1243530017715962, -0.1243530017715962], abs=1e-12)


@pytest.mark.parametrize("steps", [1, 7, 20])
@pytest.mark.parametrize("preset", PUBLISHED)
@pytest.mark.parametrize("form", ["simpo", "dpo"])
def test_it_is_the_specification(form, preset, steps):
    frame = random_table(seed=steps, rows=50)
    beta, ratio, tau = PUBLISHED[preset]
    gaps, less = (simpo_gaps(frame), 0.0) if form == "simpo" else (dpo_gaps(frame), ratio * beta)
    found = array(columns("gamma_po", frame, preset, form=form, batch="all", steps=steps)["gamma_po_margin"])
    wanted = np.array(plain_gamma_po(gaps, beta, ratio, tau, steps)) - less
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)


def test_batches_are_consecutive_rows():
    frame = random_table(seed=3, rows=50)
    gaps = simpo_gaps(frame)
    found = array(columns("gamma_po", frame, batch=7)["gamma_po_margin"])
    # 50 = 6 * 7 + 8: the row that is left over joins the seventh batch
    wanted = [m for start in range(0, 42, 7) for m in plain_gamma_po(gaps[start : start + 7])]
    np.testing.assert_allclose(found, [*wanted, *plain_gamma_po(gaps[42:])], rtol=0, atol=1e-9)


def test_256_rows_are_a_batch_by_default():
    frame = random_table(seed=4, rows=300)
    gaps = simpo_gaps(frame)
    found = array(columns("gamma_po", frame)["gamma_po_margin"])
    np.testing.assert_allclose(found, [*plain_gamma_po(gaps[:256]), *plain_gamma_po(gaps[256:])], rtol=0, atol=1e-9)


@few
@given(gap_lists, st.floats(0.01, 10), st.floats(0.01, 2), st.floats(0.01, 100), st.integers(1, 40))
def test_the_mean_is_gamma0(gaps, beta, ratio, tau, steps):
    given = {"beta": beta, "ratio": ratio, "tau": tau, "steps": steps, "batch": "all"}
    found = margins(gaps, **given)
    assert found.mean() == pytest.approx(beta * ratio, rel=1e-12)
    assert (found > 0).all()


@few
@given(gap_lists)
def test_the_mean_is_0_in_the_dpo_form(gaps):
    found = array(columns("gamma_po", moved(gaps, [0.0] * len(gaps)), form="dpo", batch="all")["gamma_po_margin"])
    assert found.mean() == pytest.approx(0, abs=1e-11)


@few
@given(gap_lists)
def test_a_large_tau_gives_the_constant(gaps):
    np.testing.assert_allclose(margins(gaps, tau=1e9, batch="all"), 4.0, rtol=1e-8)


@few
@given(gap_lists)
def test_a_larger_gap_has_no_smaller_margin(gaps):
    found = margins(gaps, batch="all")
    order = np.argsort(gaps, kind="stable")
    assert (np.diff(found[order]) >= -1e-12).all()


@pytest.mark.parametrize("preset", PUBLISHED)
def test_many_steps_reach_the_fixed_point(preset):
    frame = random_table(seed=5, rows=40)
    beta, ratio, tau = PUBLISHED[preset]
    found = array(columns("gamma_po", frame, preset, batch="all", steps=3000)["gamma_po_margin"])
    gamma0 = beta * ratio
    cost = gamma0 / (1 + np.exp(-np.clip(found - beta * np.array(simpo_gaps(frame)), -500, 500)))
    share = np.exp(-cost / tau)
    np.testing.assert_allclose(found, gamma0 * 40 * share / share.sum(), rtol=1e-7)


@pytest.mark.parametrize("preset", PUBLISHED)
def test_presets_are_the_published_settings(preset):
    frame = random_table(seed=6, rows=9)
    beta, ratio, tau = PUBLISHED[preset]
    spelled = columns("gamma_po", frame, beta=beta, ratio=ratio, tau=tau)["gamma_po_margin"]
    assert columns("gamma_po", frame, preset)["gamma_po_margin"].to_list() == spelled.to_list()


def test_strong_settings_stay_finite():
    found = margins([-5.0, -4.0, 1.0 - 6.0], beta=50, ratio=20, tau=0.5, batch="all")
    assert found.mean() == pytest.approx(1000)


def test_the_rate_is_at_most_1():
    # 0.5 / tau would be 2
    assert margins(GOLDEN_GAPS, tau=0.25, steps=3) == pytest.approx(
        plain_gamma_po(GOLDEN_GAPS, tau=0.25, steps=3), abs=1e-9
    )
