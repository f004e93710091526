"""Find the best few candidates of each group when measuring a candidate is expensive and bounding it is cheap.

Candidates are ranked by merit (larger is better), then by larger margin, then by lower position. A candidate's merit
lies between its bounds `least` and `most` (infinite where nothing is known); `most` = -inf means that it has no merit.
Only candidates that the bounds cannot rule out are measured, and the result is the same as measuring all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Maps positions, int64 [k], and the merits they must reach to be among the best, float64 [k], to merits, float64 [k]:
-inf for a candidate without merit, or one that falls short of what it must reach."""

SHARE_AT_ONCE = 8
"""Each round measures this fraction of the candidates measured so far, so that large groups need few rounds."""


def hopeful(groups: np.ndarray, least: np.ndarray, most: np.ndarray, keep: int) -> np.ndarray:
    """Positions of the candidates that may be among the `keep` best of their group, ascending, int64 [k].

    Args:
        groups: the group of each candidate, ascending, int64 [n].
        least: float64 [n].
        most: float64 [n].
        keep: how many candidates to find in each group.
    """
    starts, sizes = _cut(groups)
    falling = np.lexsort((-least, groups))
    # The best `keep` reach at least the `keep`-th largest `least`; a group with fewer candidates keeps them all.
    threshold = np.full(starts.size, -np.inf)
    enough = sizes >= keep
    threshold[enough] = least[falling[starts[enough] + keep - 1]]
    return np.flatnonzero((most >= np.repeat(threshold, sizes)) & (most > -np.inf))


def best_first(groups: np.ndarray, most: np.ndarray, margins: np.ndarray, keep: int, measure: Measure) -> np.ndarray:
    """The best candidates of each group: measures the most promising first, and stops when no other can be better.

    Args:
        groups: the group of each candidate, ascending, int64 [n].
        most: float64 [n].
        margins: float64 [n].
        keep: how many candidates to find in each group.
        measure: called with candidates of many groups at a time; gets each candidate at most once.

    Returns:
        The positions of the best, ascending, int64 [k].
    """
    starts, sizes = _cut(groups)
    falling = np.lexsort((-margins, -most, groups))
    following, ends = starts.copy(), starts + sizes
    best = _Best(starts.size, min(keep, int(sizes.max(initial=1))))
    racing, width, done = np.arange(starts.size), best.keep, 0
    while racing.size:
        block = following[racing, None] + np.arange(width)
        candidates = falling[np.minimum(block, groups.size - 1)]
        may_win = (block < ends[racing, None]) & best.beaten_by(
            racing, most[candidates], margins[candidates], candidates
        )
        # Candidates are in descending order: if the first of a block cannot win, none after it can.
        still = may_win[:, 0]
        racing, candidates, may_win = racing[still], candidates[still], may_win[still]
        if not racing.size:
            break
        merits = np.full(candidates.shape, -np.inf)
        merits[may_win] = measure(candidates[may_win], np.repeat(best.to_reach(racing), may_win.sum(axis=1)))
        best.add(racing, merits, margins[candidates], candidates)
        following[racing] += width
        done += width
        width = max(1, done // SHARE_AT_ONCE)
    return best.positions()


def _cut(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The start and size of each group."""
    starts = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))
    return starts, np.diff(starts, append=groups.size)


class _Best:
    """The best `keep` measured candidates of each group, in descending order; empty places lose to everything."""

    def __init__(self, groups: int, keep: int) -> None:
        self.keep = keep
        self._merits = np.full((groups, keep), -np.inf)
        self._margins = np.full((groups, keep), -np.inf)
        self._positions = np.full((groups, keep), np.iinfo(np.int64).max)

    def to_reach(self, groups: np.ndarray) -> np.ndarray:
        """The merit that a candidate of each of these groups must reach to be among the best, float64 [groups]."""
        least: np.ndarray = self._merits[groups, -1]
        return least

    def positions(self) -> np.ndarray:
        """Positions of the best candidates of all groups, ascending."""
        return np.sort(self._positions[self._merits > -np.inf])

    def beaten_by(
        self, groups: np.ndarray, merits: np.ndarray, margins: np.ndarray, positions: np.ndarray
    ) -> np.ndarray:
        """Whether candidates with these merits, [groups, k], would be among the best of these groups."""
        merit, margin, position = (a[groups, -1:] for a in (self._merits, self._margins, self._positions))
        tie = (margins > margin) | ((margins == margin) & (positions < position))
        won: np.ndarray = (merits > merit) | ((merits == merit) & tie)
        return won

    def add(self, groups: np.ndarray, merits: np.ndarray, margins: np.ndarray, positions: np.ndarray) -> None:
        """Add measured candidates, [groups, k]; those without merit never displace another."""
        margins = np.where(merits == -np.inf, -np.inf, margins)
        merits = np.concatenate([self._merits[groups], merits], axis=1)
        margins = np.concatenate([self._margins[groups], margins], axis=1)
        positions = np.concatenate([self._positions[groups], positions], axis=1)
        order = np.lexsort((positions, -margins, -merits))[:, : self.keep]
        for held, new in ((self._merits, merits), (self._margins, margins), (self._positions, positions)):
            held[groups] = np.take_along_axis(new, order, axis=1)
