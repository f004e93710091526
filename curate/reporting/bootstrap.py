"""Random controls of the same size, and 95% intervals: whole prompts are drawn, as their pairs are not independent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curate.reporting.statistics import Differences

DRAWS = 400
SEED = 0
QUANTILES = (0.025, 0.975)

Ratio = tuple[np.ndarray, np.ndarray]
"""A figure that is a sum over rows divided by another: [rows] each. A mean is its values over 1 where known."""


@dataclass(frozen=True)
class Estimate:
    """A figure: its value, and the 95% interval over the draws. None where it cannot be computed."""

    value: float | None
    low: float | None
    high: float | None

    def plain(self) -> list[float | None]:
        """For JSON."""
        return [self.value, self.low, self.high]


def mean_of(values: np.ndarray) -> Ratio:
    """The mean of the known values as a ratio of sums."""
    known = ~np.isnan(values)
    return np.where(known, values, 0.0), known.astype(np.float64)


class Prompts:
    """The rows of some prompts, summed by prompt for quick drawing.

    Args:
        keys: which prompt each row has, from 0 on: int64 [rows].
        ratios: the figures that are ratios of sums.
        aucs: the figures that are AUCs of a difference.
    """

    def __init__(self, keys: np.ndarray, ratios: Mapping[str, Ratio], aucs: Mapping[str, Differences]) -> None:
        self.keys, self.aucs, self.names = keys, aucs, list(ratios)
        self.count = int(keys.max()) + 1 if keys.size else 0
        self.rows = np.bincount(keys, minlength=self.count)
        sums = [np.bincount(keys, part, minlength=self.count) for pair in ratios.values() for part in pair]
        self.sums = np.stack(sums, axis=1) if sums else np.zeros((self.count, 0))

    def figures(self, times: np.ndarray) -> dict[str, float]:
        """Every figure when each prompt counts so many times: [prompts]. NaN where it cannot be computed."""
        found = dict(zip(self.names, _divided(times @ self.sums), strict=True))
        if self.aucs:
            weights = times[self.keys].astype(np.float64)
            for name, one in self.aucs.items():
                auc = one.auc(weights)
                found[name] = np.nan if auc is None else auc
        return found

    def resampled(self, draws: int = DRAWS, seed: int = SEED) -> dict[str, Estimate]:
        """Every figure of these rows, with the interval over as many prompts drawn with replacement."""
        generator = np.random.default_rng(seed)
        value = self.figures(np.ones(self.count))
        found = [
            self.figures(np.bincount(generator.integers(self.count, size=self.count), minlength=self.count))
            for _ in range(draws if self.count else 0)
        ]
        return {name: _estimate(value[name], [one[name] for one in found]) for name in value}

    def control(self, rows: int, draws: int = DRAWS, seed: int = SEED) -> dict[str, Estimate]:
        """Every figure of random selections of this size: prompts are drawn with replacement until they have the rows.

        The value is the mean over the draws.
        """
        generator = np.random.default_rng(seed)
        found = []
        for _ in range(draws if self.count and rows else 0):
            drawn, ends = self._draw(generator, [rows])
            found.append(self.figures(np.bincount(drawn[: ends[0]], minlength=self.count)))
        return {
            name: _estimate(_mean([one[name] for one in found]), [one[name] for one in found])
            for name in (*self.names, *self.aucs)
        }

    def controls(self, sizes: Sequence[int], draws: int = DRAWS, seed: int = SEED) -> dict[str, list[Estimate]]:
        """The ratios of random selections of several sizes (ascending), each draw continued from size to size."""
        generator = np.random.default_rng(seed)
        found = np.full((draws, len(sizes), len(self.names)), np.nan)
        for i in range(draws if self.count else 0):
            drawn, ends = self._draw(generator, sizes)
            starts = np.concatenate([[0], ends[:-1]])
            pieces = [self.sums[drawn[a:b]].sum(axis=0) for a, b in zip(starts, ends, strict=True)]
            found[i] = _divided(np.cumsum(pieces, axis=0))
        return {
            name: [_estimate(_mean(found[:, k, j]), found[:, k, j]) for k in range(len(sizes))]
            for j, name in enumerate(self.names)
        }

    def _draw(self, generator: np.random.Generator, sizes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Prompts in the order drawn, and how many of them it takes to have each number of rows."""
        wanted, blocks, rows = sizes[-1], [], 0
        size = int(self.count * min(wanted / max(self.keys.size, 1), 1) * 1.05) + 16
        while rows < wanted:
            blocks.append(generator.integers(self.count, size=size))
            rows += int(self.rows[blocks[-1]].sum())
        drawn = np.concatenate(blocks) if blocks else np.zeros(0, np.int64)
        return drawn, np.searchsorted(np.cumsum(self.rows[drawn]), np.asarray(sizes)) + 1


def _divided(sums: np.ndarray) -> np.ndarray:
    """Numerators over denominators, which alternate along the last axis."""
    above, below = sums[..., 0::2], sums[..., 1::2]
    found: np.ndarray = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return found


def _mean(values: Sequence[float] | np.ndarray) -> float:
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else np.nan


def _estimate(value: float, draws: Sequence[float] | np.ndarray) -> Estimate:
    found = np.asarray(draws, np.float64)
    found = found[~np.isnan(found)]
    low, high = (float(one) for one in np.quantile(found, QUANTILES)) if found.size else (None, None)
    return Estimate(None if np.isnan(value) else float(value), low, high)
