import math

import numpy as np
import pytest

from tests.evidence.statistics import Estimate, estimate, holm, paired, verdict


def test_the_mean_weighs_draws_alike_and_leaves_out_nan() -> None:
    found = estimate([[1.0, 1.0, math.nan], [3.0]])
    assert (found.mean, found.draws) == (2.0, 2)
    # Both resamples of one draw twice have a chance of 1/4, far above the tails that are cut off.
    assert (found.low, found.high) == (1.0, 3.0)


def test_equal_values_have_no_interval() -> None:
    found = estimate([[0.5, 0.5], [0.5, 0.5]])
    assert found.low == found.mean == found.high == 0.5
    assert found.p < 0.001


def test_no_difference_has_a_p_of_one() -> None:
    assert estimate([[0.0, 0.0]]).p == 1.0


def test_the_interval_covers_the_spread_between_draws() -> None:
    rng = np.random.default_rng(1)
    alike = estimate([rng.normal(0.1, 0.1, 200).tolist() for _ in range(5)])
    apart = estimate([rng.normal(mean, 0.1, 200).tolist() for mean in (-0.9, -0.4, 0.1, 0.6, 1.1)])
    assert alike.low > 0
    assert apart.low < 0 < apart.high


@pytest.mark.parametrize("draws", [[], [[1.0], [math.nan]]])
def test_nothing_to_resample_is_refused(draws: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="every draw"):
        estimate(draws)


def test_only_draws_that_both_have_are_compared() -> None:
    assert paired({0: [1.0, 2.0], 2: [5.0, 5.0]}, {0: [0.5, 3.0], 1: [9.0, 9.0]}) == [[0.5, -1.0]]


def test_draws_of_other_prompts_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired({0: [1.0, 2.0]}, {0: [1.0]})


def test_holm_steps_down_and_never_falls() -> None:
    # Sorted 0.01, 0.03, 0.04: times 3, 2, 1 is 0.03, 0.06, 0.04; the last is raised to the one before it.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("low", "high", "p", "sign", "draws", "expected"),
    [
        (0.1, 0.2, 0.01, "+", 5, "holds"),
        (0.1, 0.2, 0.06, "+", 5, "cannot tell"),
        (0.1, 0.2, 0.01, "+", 4, "cannot tell"),
        (-0.1, 0.2, 0.5, "+", 5, "cannot tell"),
        (-0.2, -0.1, 0.01, "+", 5, "does not"),
        (-0.2, -0.1, 0.06, "+", 5, "cannot tell"),
        (0.0, 0.2, 0.06, "not -", 5, "holds"),
        (-0.2, -0.1, 0.01, "not -", 5, "does not"),
        (-0.1, 0.1, 0.8, "not -", 5, "cannot tell"),
    ],
)
def test_verdicts(low: float, high: float, p: float, sign: str, draws: int, expected: str) -> None:
    found = Estimate((low + high) / 2, low, high, p, draws)
    assert verdict(found, p, sign, 5) == expected
