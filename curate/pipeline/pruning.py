"""Which candidate pairs must have their edit distance measured so that the best ones are surely among them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from curate.metrics.registry import Options, bounded_by_edit, compute, reads_edit
from curate.pairs.best_first import Measure, best_first, hopeful
from curate.pipeline.distances import Comparison
from curate.pipeline.measure import Numbers
from curate.pipeline.pair_table import as_series
from curate.schema import EDIT_DISTANCE, EDIT_DISTANCE_NORM


@dataclass(frozen=True)
class Ranking:
    """What makes a pair a good one.

    Attributes:
        by: the metric.
        options: the user's parameters for every metric.
        complete: the pair columns that are complete in the whole data set.
        highest: whether the largest values are the best ones.
        keep: how many pairs of a prompt are wanted.
    """

    by: str
    options: Options
    complete: frozenset[str]
    highest: bool
    keep: int

    @property
    def prunes(self) -> bool:
        """Whether bounds of the edit distance bound the metric."""
        return bounded_by_edit(self.by, self.options, self.complete)

    def merits(self, frame: pl.DataFrame) -> np.ndarray:
        """The metric of these pairs, negated where low is good; NaN for null. float64 [n]."""
        values: np.ndarray = compute(self.by, frame, self.options, self.complete)[0].to_numpy()
        return values if self.highest else -values


@dataclass(frozen=True)
class Candidates:
    """The candidate pairs of some prompts, one prompt's behind the other's.

    Attributes:
        prompts: int64 [n], ascending.
        first: number of the chosen text, int64 [n].
        second: number of the rejected text, int64 [n].
        margins: reward margins, float64 [n].
        known: every column of the pairs but those of the edit distance.
        comparison: the texts.
    """

    prompts: np.ndarray
    first: np.ndarray
    second: np.ndarray
    margins: np.ndarray
    known: pl.DataFrame
    comparison: Comparison

    def at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The texts' numbers at these positions."""
        return self.first[positions], self.second[positions]

    def frame(self, positions: np.ndarray, edits: np.ndarray) -> pl.DataFrame:
        """The pairs at these positions, as if these were their edit distances."""
        columns: Numbers = self.comparison.of_edits(*self.at(positions), edits)
        series = [as_series(c.name, c.type, columns[c.name]) for c in (EDIT_DISTANCE, EDIT_DISTANCE_NORM)]
        return self.known[positions].with_columns(series)


def worth_measuring(pairs: Candidates, ranking: Ranking) -> np.ndarray:
    """The positions of some pairs among which are each prompt's best ones, ascending, int64 [k].

    A pair's value lies between its values at the smallest and the largest edit distance that it can have. Also in
    floating point: rounding keeps order, so no bound is crossed by a last bit.
    """
    if reads_edit(ranking.by, ranking.options, ranking.complete):
        left, most, measure = _by_bounds(pairs, ranking)
    else:
        merits = ranking.merits(pairs.known)
        left = np.flatnonzero(~np.isnan(merits))
        most, measure = merits[left], lambda places: merits[left[places]]
    race = best_first(pairs.prompts[left], most, pairs.margins[left], ranking.keep, measure)
    found: np.ndarray = left[race]
    return found


def _by_bounds(pairs: Candidates, ranking: Ranking) -> tuple[np.ndarray, np.ndarray, Measure]:
    """The positions that bounds leave in the race, the most that each can be worth, and how to measure them."""
    left = np.arange(pairs.prompts.size)
    left, _ = _hopeful(pairs, ranking, left, pairs.comparison.least_by_length(*pairs.at(left)))
    left, most = _hopeful(pairs, ranking, left, _least_by_tokens(pairs, left))

    def measure(places: np.ndarray) -> np.ndarray:
        at = left[places]
        merits = ranking.merits(pairs.frame(at, pairs.comparison.edits(*pairs.at(at))))
        return np.where(np.isnan(merits), -np.inf, merits)

    return left, most, measure


def _hopeful(
    pairs: Candidates, ranking: Ranking, left: np.ndarray, least_edits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of these positions those that may be among the best by such edit distances, and the most they can be worth."""
    most_edits = pairs.comparison.most(*pairs.at(left))
    near, far = (ranking.merits(pairs.frame(left, edits)) for edits in (least_edits, most_edits))
    # A value that cannot be computed at one end says nothing of what lies between.
    unknown = np.isnan(near) | np.isnan(far)
    least = np.where(unknown, -np.inf, np.minimum(near, far))
    most = np.where(unknown, np.inf, np.maximum(near, far))
    hope = hopeful(pairs.prompts[left], least, most, ranking.keep)
    return left[hope], most[hope]


def _least_by_tokens(pairs: Candidates, left: np.ndarray) -> np.ndarray:
    """The smallest edit distances that the pairs at these positions can have by their tokens, prompt by prompt."""
    first, second = pairs.at(left)
    cuts = np.flatnonzero(np.diff(pairs.prompts[left], prepend=-1, append=-2)).tolist()
    found = [pairs.comparison.least_by_tokens(first[a:b], second[a:b]) for a, b in pairwise(cuts)]
    return np.concatenate([np.zeros(0, np.int64), *found])
