from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import SettingsError
from curate.metrics.bees import EXTERNAL_DIVISOR, IMPLICIT_DIVISOR, upper_bound

from .tables import arrays, few, floats, random_table, tables, values, with_holes


def pairs(external: list[float], implicit: list[float]) -> dict[str, Any]:
    """A table whose external and implicit margins are the given ones."""
    zeros = [0.0] * len(external)
    return {
        "chosen_reward": external,
        "rejected_reward": zeros,
        "policy_chosen_logps": implicit,
        "ref_chosen_logps": zeros,
        "policy_rejected_logps": zeros,
        "ref_rejected_logps": zeros,
    }


# external: max 3, U = int(3/1.5) = 2 (one margin above, fewer than 30); implicit: max 4, U = int(4/2) = 2; L = -2, so
# p(m) = (m + 2) / 4: p(0) = 1/2, p(1) = 3/4, p(-1) = 1/4
GOLDEN = pairs([0.0, 1.0, -1.0, 3.0, -9.0], [1.0, 1.0, 1.0, 4.0, 0.0])
GOLDEN_BELIEF = [
    0.75,  # 1/2 * 3/4 / (3/8 + 1/2 * 1/4) = 3/8 / (4/8)
    0.9,  # 3/4 * 3/4 / (9/16 + 1/16)
    0.5,  # 1/4 * 3/4 / (3/16 + 3/4 * 1/4)
    1 - 1e-12,  # both clamped: q = 1e-6, (1-q)^2 / ((1-q)^2 + q^2) = 1 - 1e-12 to first order
    1e-6,  # external below L: p clamped to 1e-6, implicit 1/2: 1e-6 / (1e-6 + 1 - 1e-6)
]


@pytest.mark.parametrize("name", ["bees", "dual_margin_mul"])
def test_golden_bees_and_dual_margin_mul(name: str) -> None:
    assert values(name, GOLDEN) == pytest.approx(GOLDEN_BELIEF, rel=1e-11)
    # L = -6, U = 2: p(0) = 6/8, p(1) = 7/8: 3/4 * 7/8 / (21/32 + 1/4 * 1/8) = 21/22
    assert values(name, GOLDEN, low=-6)[0] == pytest.approx(21 / 22, rel=1e-12)


def test_golden_dual_margin_add() -> None:
    # 1.5 - 0.5 = 1; (-10 - (-14)) - (-23 - (-20)) = 7; 1 + 7 = 8
    frame = {
        "chosen_reward": [1.5],
        "rejected_reward": [0.5],
        "policy_chosen_logps": [-10.0],
        "ref_chosen_logps": [-14.0],
        "policy_rejected_logps": [-23.0],
        "ref_rejected_logps": [-20.0],
    }
    assert values("dual_margin_add", frame) == [8.0]


@pytest.mark.parametrize(
    ("margins", "divisor", "golden"),
    [
        ([3.0, 0.0], EXTERNAL_DIVISOR, 2),  # int(3/1.5) = 2; one above, fewer than 30
        ([3.9, 0.0], IMPLICIT_DIVISOR, 1),  # int(3.9/2) = int(1.95) = 1
        ([5.5] * 35 + [6.0], EXTERNAL_DIVISOR, 6),  # 4: 36 above >= 30 and >= 6 - 4; 5: 36 above; 6: none above
        ([5.5] * 28 + [6.0], EXTERNAL_DIVISOR, 4),  # 4: 29 above, fewer than 30
        ([5.5] * 29 + [6.0], EXTERNAL_DIVISOR, 6),  # 4 and 5: 30 above, not fewer than 30
        ([150.0] * 40 + [200.0], EXTERNAL_DIVISOR, 133),  # int(133.3): 41 above, fewer than 200 - 133
        ([61.0] * 40 + [120.0], IMPLICIT_DIVISOR, 60),  # 60: 41 above, fewer than 60
        ([61.0] * 59 + [120.0], IMPLICIT_DIVISOR, 61),  # 60: 60 above, not fewer than 120 - 60; 61: one above
        ([4.0] * 40, EXTERNAL_DIVISOR, 4),  # int(2.67) = 2: 40 above; 3: 40 above; 4: "above" is strict, none
        ([0.5] * 40, EXTERNAL_DIVISOR, 1),  # 0: 40 above; 1 > max
        ([-0.5, -9.0], EXTERNAL_DIVISOR, 0),  # int rounds towards zero: int(-0.33) = 0 > max
    ],
)
def test_golden_upper_bound(margins: list[float], divisor: float, golden: float) -> None:
    assert upper_bound(np.array(margins), divisor, -2.0) == golden


def test_no_interval_is_widened_to_one_above_low() -> None:
    # max -9: int(-9/1.5) = -6 lies below L = -2, so U = -1; every margin is below L and no p is NaN
    assert upper_bound(np.array([-9.0, -30.0]), EXTERNAL_DIVISOR, -2.0) == -1.0
    # external 1e-6 for both rows; implicit: max 0, U = int(0) = 0, p = (0 + 2) / 2 = 1, clamped to 1 - 1e-6
    # logits -a + a = 0: 1/2
    assert values("bees", pairs([-9.0, -30.0], [0.0, 0.0])) == pytest.approx([0.5, 0.5], rel=1e-9)


def test_golden_bees_of_narrow_rewards() -> None:
    # external: max 1/2, U = int(1/3) = 0; none of the 40 is less than 30, nor less than 1/2 - 0; U = 1 is above max.
    # The largest clipped margin is 1/2, so the divisor is 1/2 + 2 = 5/2, not U + 2 = 3:
    # p(1/2) = 1, clamped; p(-1/2) = (3/2) / (5/2) = 3/5 (1/2 with the divisor 3)
    # implicit: max 0, U = 0, p(0) = 1, clamped, and p(-1) = (1/1) / 2 = 1/2, of which the odds are 1
    margins = [0.5] * 39 + [-0.5]
    found = values("bees", pairs(margins, [0.0] * 39 + [-1.0]))
    assert found[-1] == pytest.approx(3 / 5, rel=1e-12)
    assert found[0] == pytest.approx(1 - 1e-12, rel=1e-12)


def test_golden_bees_where_all_margins_are_negative() -> None:
    # external -1/2, -1, -3: U = int(-1/3) = 0 passed the largest; the largest clipped is -1/2: divisor 3/2, not 2:
    # p(-1) = 1 / (3/2) = 2/3; p(-3) = 0, clamped to 1e-6. Implicit -1, -1.5, -1.5: divisor 1: p(-1.5) = 1/2, odds 1
    found = values("bees", pairs([-0.5, -1.0, -3.0], [-1.0, -1.5, -1.5]))
    assert found[1:] == pytest.approx([2 / 3, 1e-6], rel=1e-9)


@pytest.mark.parametrize("name", ["bees", "dual_margin_mul"])
@pytest.mark.parametrize("margin", [-1e308, -30.0, -2.0, -1.0, 0.0, 0.25, 7.0, 1e308])
def test_equal_margins_are_all_sure_or_all_not(name: str, margin: float) -> None:
    # Above L the largest clipped margin is each of them: p = 1, clamped; at L and below it p is 0, clamped.
    sure = 1 - 1e-6 if margin > -2 else 1e-6
    # implicit: p(-1) = 1/2 where the largest is 0, odds 1: the aggregate is the external p
    found = values(name, pairs([margin] * 3, [-1.0, -1.0, 0.0]))
    assert found[:2] == pytest.approx([sure] * 2, rel=1e-9)


def test_margins_beyond_all_floats_are_null() -> None:
    # 1e308 - (-1e308) is no number
    frame = pairs([1.0, 1.0], [1e308, 1.0]) | {"ref_chosen_logps": [-1e308, 0.0]}
    for name in ("bees", "dual_margin_mul", "dual_margin_add", "beta_dpo_weight", "dpo_margin"):
        assert [value is None for value in values(name, frame)] == [True, False], name


def test_a_bound_above_low_is_kept() -> None:
    # int(0.3/1.5) = 0, one margin above; 0 > L = -0.5, so the spec's U is 0
    assert upper_bound(np.array([0.3, -1.0]), EXTERNAL_DIVISOR, -0.5) == 0.0


def test_a_bound_at_low_is_widened_too() -> None:
    # int(0.5/1.5) = 0, one margin above; at L = 0 there would be no interval: U = 1, and the margin 0.5 is sure
    assert upper_bound(np.array([0.5, -1.0]), EXTERNAL_DIVISOR, 0.0) == 1.0


def spec_probability(margins: np.ndarray, divisor: float, low: float) -> np.ndarray:
    known = [float(m) for m in margins if not np.isnan(m)]
    largest = max(known)
    u = int(largest / divisor)
    while True:
        above = sum(m > u for m in known)
        if above < 30 or above < largest - u or u > largest:
            break
        u += 1
    clipped = np.clip(margins, low, u)
    p = (clipped - low) / (np.nanmax(clipped) - low)
    return np.minimum(np.maximum(p, 1e-6), 1 - 1e-6)


def spec_implicit(a: dict[str, np.ndarray]) -> np.ndarray:
    chosen = a["policy_chosen_logps"] - a["ref_chosen_logps"]
    return chosen - (a["policy_rejected_logps"] - a["ref_rejected_logps"])


def spec_bees(frame: pl.DataFrame, low: float, sources: tuple[str, ...]) -> np.ndarray:
    a = arrays(frame)
    implicit = spec_implicit(a)
    suffixes = [f"_{name}" for name in sources] or [""]
    external = [a[f"chosen_reward{suffix}"] - a[f"rejected_reward{suffix}"] for suffix in suffixes]
    p = np.array([*(spec_probability(m, 1.5, low) for m in external), spec_probability(implicit, 2, low)])
    return np.prod(p, axis=0) / (np.prod(p, axis=0) + np.prod(1 - p, axis=0))


@pytest.mark.parametrize("rows", [25, 400, 3000])
@pytest.mark.parametrize("low", [-2.0, -5.0, 0.0])
@pytest.mark.parametrize("sources", [(), ("a",), ("a", "b")])
def test_as_the_spec_reads(rows: int, low: float, sources: tuple[str, ...]) -> None:
    frame = with_holes(random_table(seed=18, rows=rows), seed=19)
    expected = spec_bees(frame, low, sources)
    np.testing.assert_allclose(floats(values("bees", frame, low=low, sources=sources)), expected, rtol=1e-8, atol=1e-12)
    # the clamp at both ends takes part
    margins = spec_probability(arrays(frame)["chosen_reward"] - arrays(frame)["rejected_reward"], 1.5, low)
    assert (np.nanmin(margins), np.nanmax(margins)) == (1e-6, 1 - 1e-6)
    if not sources:
        np.testing.assert_allclose(floats(values("dual_margin_mul", frame, low=low)), expected, rtol=1e-8, atol=1e-12)


@few
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.floats(0.1, 60), st.sampled_from([1.5, 2.0]))
def test_upper_bound_is_that_of_the_naive_search(seed: int, rows: int, spread: float, divisor: float) -> None:
    margins = np.random.default_rng(seed).uniform(-spread / 8, spread, rows)
    low = -20.0  # below every bound
    largest = max(margins)
    naive = int(largest / divisor)
    while not (sum(margins > naive) < 30 or sum(margins > naive) < largest - naive or naive > largest):
        naive += 1
    assert upper_bound(margins, divisor, low) == naive


def test_dual_margin_add_as_the_spec_reads() -> None:
    frame = with_holes(random_table(seed=20, rows=300), seed=21)
    a = arrays(frame)
    implicit = spec_implicit(a)
    expected = a["chosen_reward"] - a["rejected_reward"] + implicit
    np.testing.assert_allclose(floats(values("dual_margin_add", frame)), expected, rtol=1e-9, atol=1e-9)


@few
@given(tables(), st.sampled_from([(), ("a",), ("b",)]), st.sampled_from([-2.0, -30.0, 3.0]))
def test_bees_is_a_probability(frame: pl.DataFrame, sources: tuple[str, ...], low: float) -> None:
    assert all(0 < value < 1 for value in values("bees", frame, sources=sources, low=low))


@few
@given(tables(max_rows=40))
def test_bees_is_monotone_in_the_reward_margin(frame: pl.DataFrame) -> None:
    same_implicit = frame.with_columns(pl.col("^(policy|ref)_.*_logps$").first())
    margins, belief = values("reward_margin", same_implicit), values("bees", same_implicit)
    ranked = [value for _, value in sorted(zip(margins, belief, strict=True))]
    assert ranked == sorted(ranked)
    by_margin: dict[float, set[float]] = {}
    for margin, value in zip(margins, belief, strict=True):
        by_margin.setdefault(margin, set()).add(value)
    assert all(len(same) == 1 for same in by_margin.values())


def test_bees_rises_strictly_between_the_bounds() -> None:
    # U = int(9/1.5) = 6 and L = -2: every step inside counts, none outside does
    belief = values("bees", pairs([-9.0, -2.0, -1.0, 0.0, 3.0, 6.0, 9.0], [0.0] * 7))
    assert belief[0] == belief[1] < belief[2] < belief[3] < belief[4] < belief[5] == belief[6]


@few
@given(tables())
def test_the_implicit_margin_carries_no_beta(frame: pl.DataFrame) -> None:
    added = floats(values("dual_margin_add", frame))
    expected = floats(values("reward_margin", frame)) + floats(values("dpo_margin", frame, beta=1.0))
    np.testing.assert_allclose(added, expected, rtol=1e-12, atol=1e-12)


def test_a_source_that_was_not_scored_is_named() -> None:
    with pytest.raises(SettingsError, match="needs the column chosen_reward_d"):
        values("bees", random_table(seed=22, rows=3), sources="a,d")
