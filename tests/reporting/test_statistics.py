"""Statistics against their definitions, computed another way: counted one by one, or over all pairs of rows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.reporting.statistics import Differences, best_first, bins_of, percentiles, spearman, spearman_matrix

NAN = float("nan")
floats = st.floats(-1e6, 1e6, allow_nan=False) | st.just(NAN) | st.sampled_from([0.0, 1.0, -1.0])


@given(st.lists(floats, min_size=1, max_size=60))
def test_every_known_value_is_in_one_bar(values: list[float]) -> None:
    column = np.array(values)
    bins = bins_of(column)
    known = [value for value in values if not math.isnan(value)]
    if bins is None:
        assert not known
        return
    edges = bins.edges.tolist()
    expected = [0] * (len(edges) - 1)
    for value in known:
        bar = next(i for i in range(len(expected)) if value < edges[i + 1] or i == len(expected) - 1)
        assert value >= edges[bar]
        expected[bar] += 1
    assert bins.counts(column).tolist() == expected
    assert sum(expected) == len(known)


def test_whole_numbers_have_a_bar_each_and_a_long_tail_is_logarithmic() -> None:
    bins = bins_of(np.array([0.0, 2.0, 2.0, 3.0, NAN]))
    assert bins is not None
    assert (bins.scale, bins.edges.tolist()) == ("values", [0.0, 1.0, 2.0, 3.0, 4.0])
    assert bins.counts(np.array([0.0, 2.0, 2.0, 3.0, NAN])).tolist() == [1, 0, 2, 1]
    tail = bins_of(np.geomspace(1e-9, 1.0, 1000))
    assert tail is not None
    assert tail.scale == "log"
    assert tail.counts(np.geomspace(1e-9, 1.0, 1000)).max() < 60
    assert bins_of(np.array([NAN])) is None


def test_edges_of_a_column_of_32_bits_are_values_of_32_bits() -> None:
    values = np.random.default_rng(0).normal(size=500).astype(np.float32).astype(np.float64)
    bins = bins_of(values)
    assert bins is not None
    assert np.array_equal(bins.edges, bins.edges.astype(np.float32))
    assert bins.counts(values).sum() == 500


def test_spearman_is_the_correlation_of_average_ranks_over_complete_rows() -> None:
    # complete rows (1, 10), (2, 10), (3, 5), (4, 20): ranks 1 2 3 4 and 2.5 2.5 1 4;
    # centred -1.5 -.5 .5 1.5 and 0 0 -1.5 1.5: (-.75 + 2.25) / sqrt(5 * 4.5) = 1.5 / 4.7434
    first, second = np.array([1, 2, NAN, 3, 4, 9.0]), np.array([10, 10, 7, 5, 20, NAN])
    assert spearman(first, second) == pytest.approx(1.5 / math.sqrt(22.5))
    matrix = spearman_matrix([first, second])
    assert matrix[0][1] == matrix[1][0] == spearman(first, second)
    assert matrix[0][0] == pytest.approx(1)
    assert spearman(first, np.ones(6)) is None


@given(st.lists(st.tuples(st.integers(-4, 4) | st.just(NAN), st.integers(0, 3)), min_size=1, max_size=25))
def test_the_auc_of_a_difference_is_counted_over_all_pairs_of_rows(rows: list[tuple[float, int]]) -> None:
    values, weights = (np.array(part, np.float64) for part in zip(*rows, strict=True))
    known = [(d, w) for d, w in rows if not math.isnan(d)]
    total = sum(w for _, w in known) ** 2
    wins = sum(w * v * (1.0 if d > -e else 0.5 if d == -e else 0.0) for d, w in known for e, v in known)
    found = Differences(values).auc(weights)
    if not total:
        assert found is None
    else:
        assert found == pytest.approx(wins / total)


def test_swapping_the_sides_mirrors_the_auc() -> None:
    values = np.array([3.0, -1.0, 0.0, 5.0, NAN])
    one, other = Differences(values).auc(), Differences(-values).auc()
    assert one is not None and other is not None
    assert one + other == pytest.approx(1)
    assert one > 0.5


def test_percentiles_count_half_of_the_equals() -> None:
    # below 2.0: one of four, and half of itself and its equal: (1 + 1) / 4
    assert percentiles(np.array([1.0, 2.0, 2.0, 3.0])).tolist() == [0.125, 0.5, 0.5, 0.875]


def test_ties_are_broken_by_the_given_order_and_missing_values_left_out() -> None:
    values, ties = np.array([1.0, NAN, 2.0, 2.0, 0.0]), np.array([4, 3, 2, 1, 0])
    assert best_first(values, ties, high_first=True).tolist() == [3, 2, 0, 4]
    assert best_first(values, ties, high_first=False).tolist() == [4, 0, 3, 2]
