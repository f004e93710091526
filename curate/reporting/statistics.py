"""Statistics of whole columns: histograms, rank correlation, the AUC of a difference. Knows nothing of tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

BINS = 40
MOST_VALUES = 24
"""A column of at most this many distinct whole numbers has a bar for each."""
SPREAD = 1000
"""Positive values whose 99% quantile is this many times their 1% quantile are binned on a logarithmic scale."""


@dataclass(frozen=True)
class Bins:
    """How the values of a column are grouped into bars.

    Bar i has the values from `edges[i]` to below `edges[i + 1]`; the last bar includes its upper edge. The first and
    the last edge are the smallest and the largest value.

    Attributes:
        edges: float64 [bars + 1], ascending.
        scale: `linear`, `log`, or `values` where each bar is one whole number.
    """

    edges: np.ndarray
    scale: str

    def counts(self, values: np.ndarray) -> np.ndarray:
        """The number of values in each bar, missing ones left out: int64 [bars]."""
        known = values[~np.isnan(values)]
        bars = np.searchsorted(self.edges, known, "right") - 1
        bars[known == self.edges[-1]] = self.edges.size - 2
        inside = bars[(bars >= 0) & (bars < self.edges.size - 1)]
        return np.bincount(inside, minlength=self.edges.size - 1)


def bins_of(values: np.ndarray) -> Bins | None:
    """Bars for these values; the outermost ones hold everything beyond the 0.5% and 99.5% quantiles.

    Args:
        values: finite numbers, NaN where missing.

    Returns:
        None if every value is missing.
    """
    known = values[~np.isnan(values)]
    if not known.size:
        return None
    low, high = float(known.min()), float(known.max())
    if low == high:
        return Bins(np.array([low, np.nextafter(high, np.inf)]), "values")
    if high - low < MOST_VALUES and np.array_equal(known, np.round(known)):
        return Bins(np.append(np.arange(low, high + 1), high + 1), "values")
    inner = np.quantile(known, [0.005, 0.01, 0.99, 0.995])
    if low > 0 and inner[2] > SPREAD * inner[1]:
        edges = np.geomspace(inner[0], inner[3], BINS + 1)
        scale = "log"
    else:
        first, last = (inner[0], inner[3]) if inner[3] > inner[0] else (low, high)
        edges = np.linspace(first, last, BINS + 1)
        scale = "linear"
    edges[0], edges[-1] = low, high
    if np.array_equal(known, known.astype(np.float32)):
        # A column of 32 bits is compared in 32 bits: an edge between two of its values would fall on one of them.
        edges = edges.astype(np.float32).astype(np.float64)
    return Bins(np.unique(edges), scale)


def ranks(values: np.ndarray) -> np.ndarray:
    """Average ranks from 1, NaN where the value is: float64 [rows]."""
    known = ~np.isnan(values)
    found = np.full(values.size, np.nan)
    found[known] = pl.Series(values[known]).rank("average").to_numpy()
    return found


def percentiles(values: np.ndarray) -> np.ndarray:
    """The share of known values below each value, half of its equals counted as below: float64 [rows], 0..1."""
    known = int((~np.isnan(values)).sum())
    return (ranks(values) - 0.5) / max(known, 1)


def spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    """Spearman's rank correlation over the rows that have both values; None if either is constant there."""
    both = ~(np.isnan(first) | np.isnan(second))
    one, other = ranks(first[both]), ranks(second[both])
    return correlation(one, other)


def correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Pearson's correlation; None if either is constant."""
    if one.size < 2:
        return None
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / scale if scale > 0 else None


def spearman_matrix(columns: list[np.ndarray]) -> list[list[float | None]]:
    """Spearman's correlation of every two columns, over the rows that have both values."""
    ranked = [None if np.isnan(column).any() else ranks(column) for column in columns]
    found: list[list[float | None]] = [[None] * len(columns) for _ in columns]
    for i, first in enumerate(columns):
        for j, second in enumerate(columns[: i + 1]):
            one, other = ranked[i], ranked[j]
            whole = one is not None and other is not None
            found[i][j] = found[j][i] = correlation(one, other) if whole else spearman(first, second)  # type: ignore[arg-type]
    return found


class Differences:
    """The AUC of a difference for the label, for any weights of the rows.

    Each pair is taken in both orders: with the difference d and the label 1, and with -d and the label 0. The AUC is
    then the share of all (i, j) for which d_i > -d_j, equality counting half: 0.5 where the difference says nothing.

    Args:
        values: d, chosen minus rejected; NaN where missing.
    """

    def __init__(self, values: np.ndarray) -> None:
        known = ~np.isnan(values)
        self.values, codes = np.unique(values[known], return_inverse=True)
        self.rows = np.flatnonzero(known)
        self.codes = codes.astype(np.int64)
        self._up_to = np.searchsorted(self.values, -self.values, "right")
        self._below = np.searchsorted(self.values, -self.values, "left")

    def auc(self, weights: np.ndarray | None = None) -> float | None:
        """The AUC; None without any row.

        Args:
            weights: how many times each row counts: [rows], with the missing ones.
        """
        given = None if weights is None else weights[self.rows]
        mass = np.bincount(self.codes, given, minlength=self.values.size).astype(np.float64)
        total = float(mass.sum())
        if total <= 0:
            return None
        below = np.concatenate([[0.0], np.cumsum(mass)])
        larger, equal = total - below[self._up_to], below[self._up_to] - below[self._below]
        return float(mass @ (larger + 0.5 * equal)) / total**2


def best_first(values: np.ndarray, ties: np.ndarray, *, high_first: bool) -> np.ndarray:
    """The rows that have a value, best first, ties in the order of `ties`: int64 row numbers.

    `curate select --top` keeps the first of these.
    """
    known = np.flatnonzero(~np.isnan(values))
    order = np.lexsort((ties[known], -values[known] if high_first else values[known]))
    return known[order]
