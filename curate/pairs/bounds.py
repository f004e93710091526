"""Which candidate pairs need a measured edit distance to find the best ones for certain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl

from curate.metrics.registry import (
    EDIT_COLUMNS,
    Options,
    as_numbers,
    bounded_by_edit,
    columns_read,
    compute,
    reads_edit,
)
from curate.pairs.best_first import Measure, best_first, hopeful
from curate.pairs.distances import Comparison
from curate.pairs.table import as_series
from curate.responses.measure import Numbers
from curate.schema import EDIT_DISTANCE, EDIT_DISTANCE_NORM


@dataclass(frozen=True)
class Ranking:
    """What makes a pair good.

    Attributes:
        by: the metric.
        options: the user's parameters for every metric.
        present: the columns that pairs have.
        highest: whether the largest values are best.
        keep: how many pairs to keep per prompt.
    """

    by: str
    options: Options
    present: frozenset[str]
    highest: bool
    keep: int

    @property
    def prunes(self) -> bool:
        """Whether bounds on the edit distance give bounds on the metric."""
        return bounded_by_edit(self.by, self.options, self.present)

    def merits(self, frame: pl.DataFrame) -> np.ndarray:
        """The metric of these pairs, negated if low is good; NaN for null. float64 [n]."""
        values: np.ndarray = compute(self.by, frame, self.options)[0].to_numpy()
        return values if self.highest else -values


@dataclass(frozen=True)
class Candidates:
    """The candidate pairs of some prompts, grouped by prompt.

    Attributes:
        prompts: int64 [n], ascending.
        first: number of the chosen text, int64 [n].
        second: number of the rejected text, int64 [n].
        margins: reward margins, float64 [n].
        known: every column of the pairs except those of the edit distance.
        comparison: the texts.
    """

    prompts: np.ndarray
    first: np.ndarray
    second: np.ndarray
    margins: np.ndarray
    known: pl.DataFrame
    comparison: Comparison

    def at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the texts at these positions."""
        return self.first[positions], self.second[positions]

    def frame(self, positions: np.ndarray, edits: np.ndarray) -> pl.DataFrame:
        """The pairs at these positions, assuming these edit distances."""
        columns: Numbers = self.comparison.of_edits(*self.at(positions), edits)
        series = [as_series(c.name, c.type, columns[c.name]) for c in (EDIT_DISTANCE, EDIT_DISTANCE_NORM)]
        return self.known[positions].with_columns(series)


def best_pairs(pairs: Candidates, ranking: Ranking) -> np.ndarray:
    """Positions of each prompt's best pairs, ascending, int64 [k], found by measuring few edit distances.

    A pair's value is between its values at the smallest and the largest edit distance possible. This holds in floating
    point too: rounding is monotone, so no last bit crosses a bound.
    """
    if reads_edit(ranking.by, ranking.options, ranking.present):
        left = _Left.of(pairs, ranking, _measured(pairs.known, ranking), _by_length)
        left = _Left.of(pairs, ranking, left.positions, _by_tokens)
        return _race(pairs, ranking, left.positions, left.most, left.measure)
    merits = ranking.merits(pairs.known)
    known = np.flatnonzero(~np.isnan(merits))
    return _race(pairs, ranking, known, merits[known], lambda places, _: merits[known[places]])


def _measured(known: pl.DataFrame, ranking: Ranking) -> np.ndarray:
    """Positions of the pairs that have every number the metric reads, apart from the distance: int64 [k].

    The others have no value whatever their distance.
    """
    lacks = np.zeros(known.height, bool)
    for name in set(columns_read(ranking.by, ranking.options, ranking.present)) - EDIT_COLUMNS:
        lacks |= as_numbers(known[name]).is_null().to_numpy()
    return np.flatnonzero(~lacks)


def _race(pairs: Candidates, ranking: Ranking, left: np.ndarray, most: np.ndarray, measure: Measure) -> np.ndarray:
    found: np.ndarray = left[best_first(pairs.prompts[left], most, pairs.margins[left], ranking.keep, measure)]
    return found


Bound = Callable[[Candidates, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class _Left:
    """The pairs that the bounds of the edit distance cannot rule out.

    Attributes:
        positions: int64 [n].
        nearest: the smallest edit distance possible for each, int64 [n].
        farthest: the largest one, int64 [n].
        near: each pair's merit at the smallest distance, float64 [n], NaN for null.
        far: each pair's merit at the largest distance.
    """

    pairs: Candidates
    ranking: Ranking
    positions: np.ndarray
    nearest: np.ndarray
    farthest: np.ndarray
    near: np.ndarray
    far: np.ndarray

    @classmethod
    def of(cls, pairs: Candidates, ranking: Ranking, positions: np.ndarray, bound: Bound) -> _Left:
        """The pairs at these positions that the bound cannot rule out."""
        nearest, farthest = bound(pairs, positions), pairs.comparison.most(*pairs.at(positions))
        near, far = (ranking.merits(pairs.frame(positions, edits)) for edits in (nearest, farthest))
        every = cls(pairs, ranking, positions, nearest, farthest, near, far)
        hope = hopeful(pairs.prompts[positions], every.least, every.most, ranking.keep)
        return cls(pairs, ranking, *(one[hope] for one in (positions, nearest, farthest, near, far)))

    # A value that cannot be computed at one end says nothing about the values in between.
    @property
    def least(self) -> np.ndarray:
        """Lower bounds of the merits, float64 [n]."""
        both = np.minimum(self.near, self.far)
        return np.where(np.isnan(both), -np.inf, both)

    @cached_property
    def most(self) -> np.ndarray:
        """Upper bounds of the merits, float64 [n]."""
        both = np.maximum(self.near, self.far)
        return np.where(np.isnan(both), np.inf, both)

    def measure(self, places: np.ndarray, to_reach: np.ndarray) -> np.ndarray:
        """The merits at these places; -inf for null, and for those that surely fall short of `to_reach`."""
        at, within = self.positions[places], self._within(places, to_reach)
        first, second = self.pairs.at(at)
        edits = self.pairs.comparison.edits_within(first, second, within)
        # Merits fall beyond `within`: one too low where the comparison stopped is too low at the full distance too.
        merits = self.ranking.merits(self.pairs.frame(at, edits)).copy()
        lost = (edits > within) & (merits < to_reach)
        again = (edits > within) & ~lost
        if again.any():
            edits = self.pairs.comparison.edits(first[again], second[again])
            merits[again] = self.ranking.merits(self.pairs.frame(at[again], edits))
        return np.where(lost | np.isnan(merits), -np.inf, merits)

    def _within(self, places: np.ndarray, to_reach: np.ndarray) -> np.ndarray:
        """How far each comparison must run: roughly to the distance where these merits drop out of reach."""
        near, far = self.near[places], self.far[places]
        nearest, farthest = self.nearest[places], self.farthest[places]
        with np.errstate(all="ignore"):
            # Where one over the merit grows evenly with the distance, as dcrm's does, this is exactly that distance.
            share = (1 / to_reach - 1 / near) / (1 / far - 1 / near)
            reached = np.clip(nearest + share * (farthest - nearest) + 1, nearest, farthest)
            falling = (near > far) & (far > 0) & (to_reach > 0) & np.isfinite(reached)
        within: np.ndarray = np.where(falling, reached, farthest).astype(np.int64)
        return within


def _by_length(pairs: Candidates, positions: np.ndarray) -> np.ndarray:
    """Lower bounds of the edit distances of the pairs at these positions, from their lengths."""
    return pairs.comparison.least_by_length(*pairs.at(positions))


def _by_tokens(pairs: Candidates, positions: np.ndarray) -> np.ndarray:
    """The same from their tokens, prompt by prompt."""
    first, second = pairs.at(positions)
    cuts = np.flatnonzero(np.diff(pairs.prompts[positions], prepend=-1, append=-2)).tolist()
    found = [pairs.comparison.least_by_tokens(first[a:b], second[a:b]) for a, b in pairwise(cuts)]
    return np.concatenate([np.zeros(0, np.int64), *found])
