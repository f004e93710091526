"""Intervals and controls against the same draws made row by row."""

import numpy as np
import pytest

from curate.reporting.bootstrap import Prompts, mean_of
from curate.reporting.statistics import Differences

VALUES = np.array([1.0, 2.0, np.nan, 4.0, 7.0, -3.0, 0.5, 2.5])
APART = np.array([3.0, -2.0, 1.0, 0.0, 5.0, -1.0, 2.0, 4.0])
KEYS = np.array([0, 0, 1, 1, 1, 2, 3, 3])
DRAWS, SEED = 50, 7


def prompts() -> Prompts:
    return Prompts(KEYS, {"mean": mean_of(VALUES)}, {"auc": Differences(APART)})


def by_rows(drawn: list[int]) -> tuple[float, float]:
    rows = np.concatenate([np.flatnonzero(prompt == KEYS) for prompt in drawn])
    d = APART[rows]
    auc = np.mean([[1.0 if one > -other else 0.5 if one == -other else 0.0 for other in d] for one in d])
    return float(np.nanmean(VALUES[rows])) if not np.isnan(VALUES[rows]).all() else np.nan, float(auc)


def test_the_interval_is_that_of_prompts_drawn_with_replacement() -> None:
    generator = np.random.default_rng(SEED)
    draws = [by_rows(generator.integers(4, size=4).tolist()) for _ in range(DRAWS)]
    found = prompts().resampled(DRAWS, SEED)
    for name, column in (("mean", 0), ("auc", 1)):
        values = np.array([draw[column] for draw in draws])
        assert found[name].low == pytest.approx(np.nanquantile(values, 0.025))
        assert found[name].high == pytest.approx(np.nanquantile(values, 0.975))
    assert found["mean"].value == pytest.approx(np.nanmean(VALUES))
    assert found["auc"].value == pytest.approx(by_rows([0, 1, 2, 3])[1])


def test_a_control_draws_prompts_until_it_has_the_rows() -> None:
    generator = np.random.default_rng(SEED)
    values = []
    for _ in range(DRAWS):
        # as many prompts at a time as will probably do: 4 prompts * 3 of 8 rows * 1.05 + 16
        drawn, rows = [], 0
        for prompt in generator.integers(4, size=17).tolist():
            if rows < 3:
                drawn.append(prompt)
                rows += int((prompt == KEYS).sum())
        values.append(by_rows(drawn))
    found = prompts().control(3, DRAWS, SEED)
    means, aucs = np.array(values).T
    assert found["mean"].value == pytest.approx(np.nanmean(means))
    assert [found["auc"].low, found["auc"].high] == pytest.approx(np.quantile(aucs, [0.025, 0.975]))


def test_controls_of_several_sizes_end_at_the_whole_and_narrow_on_the_way() -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(size=3000)
    many = Prompts(np.arange(3000) // 3, {"mean": mean_of(values)}, {})
    found = many.controls([30, 300, 3000], 200)["mean"]
    widths = [one.high - one.low for one in found if one.high is not None and one.low is not None]
    # the standard error of a mean of k values falls with the root of k
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(10), rel=0.3)
    assert widths[1] / widths[2] == pytest.approx(np.sqrt(10), rel=0.3)
    assert found[2].value == pytest.approx(values.mean(), abs=0.01)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(3)
    inside = 0
    for _ in range(100):
        shared = np.repeat(generator.normal(size=60), 4)
        found = Prompts(np.arange(240) // 4, {"m": mean_of(shared + generator.normal(size=240))}, {}).resampled(200)[
            "m"
        ]
        assert found.low is not None and found.high is not None
        inside += found.low <= 0 <= found.high
    assert 88 <= inside <= 100


def test_nothing_known_gives_nothing() -> None:
    found = Prompts(np.zeros(2, np.int64), {"m": mean_of(np.array([np.nan, np.nan]))}, {}).resampled(10)
    assert found["m"].plain() == [None, None, None]
