"""The best few candidates of each group, when measuring a candidate is dear and bounding it is cheap.

Candidates are ranked by merit (larger is better), then by larger margin, then by lower position. A candidate's merit is
known to lie between its `least` and its `most` (infinite where nothing is known); a `most` of minus infinity says that
it has no merit. Only candidates that no bound rules out are measured: the best of these are the best of all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From positions, int64 [k], and the merits that they must reach to be among the best, float64 [k], to their merits,
float64 [k]; minus infinity for a candidate that has none, or does not reach so much."""

SHARE_AT_ONCE = 8
"""A group's next candidates are measured together, this part of those measured before, so that long races end soon."""


def hopeful(groups: np.ndarray, least: np.ndarray, most: np.ndarray, keep: int) -> np.ndarray:
    """The positions of the candidates that may be among the `keep` best of their group, ascending, int64 [k].

    Args:
        groups: the group of each candidate, ascending, int64 [n].
        least: float64 [n].
        most: float64 [n].
        keep: how many of each group are wanted.
    """
    starts, sizes = _cut(groups)
    falling = np.lexsort((-least, groups))
    # The best `keep` reach at least the `keep`-th largest `least`; a group with fewer candidates keeps them all.
    threshold = np.full(starts.size, -np.inf)
    enough = sizes >= keep
    threshold[enough] = least[falling[starts[enough] + keep - 1]]
    return np.flatnonzero((most >= np.repeat(threshold, sizes)) & (most > -np.inf))


def best_first(groups: np.ndarray, most: np.ndarray, margins: np.ndarray, keep: int, measure: Measure) -> np.ndarray:
    """The best candidates of each group: the most promising are measured first, until no other can be one of them.

    Args:
        groups: the group of each candidate, ascending, int64 [n].
        most: float64 [n].
        margins: float64 [n].
        keep: how many of each group are wanted.
        measure: called with some candidates of many groups at a time, with each candidate at most once.

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
        # Candidates stand in falling order: where the first of a block cannot win, none behind it can.
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
    """Where each group starts, and how many candidates it has."""
    starts = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))
    return starts, np.diff(starts, append=groups.size)


class _Best:
    """The best `keep` measured candidates of each group, in falling order; places not taken yet lose to anything."""

    def __init__(self, groups: int, keep: int) -> None:
        self.keep = keep
        self._merits = np.full((groups, keep), -np.inf)
        self._margins = np.full((groups, keep), -np.inf)
        self._positions = np.full((groups, keep), np.iinfo(np.int64).max)

    def to_reach(self, groups: np.ndarray) -> np.ndarray:
        """The merits without which a candidate of these groups cannot be among the best, float64 [groups]."""
        least: np.ndarray = self._merits[groups, -1]
        return least

    def positions(self) -> np.ndarray:
        """Those of all groups' best, ascending."""
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
        """Take in measured candidates, [groups, k]; those without merit never displace one."""
        margins = np.where(merits == -np.inf, -np.inf, margins)
        merits = np.concatenate([self._merits[groups], merits], axis=1)
        margins = np.concatenate([self._margins[groups], margins], axis=1)
        positions = np.concatenate([self._positions[groups], positions], axis=1)
        order = np.lexsort((positions, -margins, -merits))[:, : self.keep]
        for held, new in ((self._merits, merits), (self._margins, margins), (self._positions, positions)):
            held[groups] = np.take_along_axis(new, order, axis=1)
