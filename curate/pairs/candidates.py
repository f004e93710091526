"""The candidates of one prompt, and the ordered pairs that can be built from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Pairs = tuple[np.ndarray, np.ndarray]
"""Positions of the chosen and the rejected responses, two int64 arrays of equal length."""


@dataclass(frozen=True)
class Candidates:
    """One prompt's responses.

    Attributes:
        rewards: float64 [n], NaN for a response without a reward; None if no response has one.
        texts: int64 [n], equal for equal texts.
        may_be_chosen: bool [n], false for truncated responses.
        draws: a random number for each response, uint64 [n], for strategies that draw; None for the others.
        usable: bool [n], false for responses that must be in no pair; None if all may.
        sources: rewards of each named source, float64 [sources, n]; None if no source is named.
        models: which model wrote each response, None where that is not known; empty if the data names no model.
        lengths: tokens of each text, [n]; for strategies that look at them.
    """

    rewards: np.ndarray | None
    texts: np.ndarray
    may_be_chosen: np.ndarray
    draws: np.ndarray | None = None
    usable: np.ndarray | None = None
    sources: np.ndarray | None = None
    models: tuple[str | None, ...] = ()
    lengths: np.ndarray | None = None

    @property
    def size(self) -> int:
        """The number of responses."""
        return int(self.texts.size)


def ordered_pairs(pool: Candidates, min_margin: float | None = None) -> Pairs:
    """All ordered pairs (chosen, rejected), by chosen position, then rejected position.

    The chosen response has the larger reward, by at least `min_margin` (where there are rewards); the two texts differ;
    a response that must not be chosen never is. A response without a reward, or one not usable, is in no pair.
    """
    differ = pool.texts[:, None] != pool.texts[None, :]
    allowed = differ & pool.may_be_chosen[:, None]
    if pool.usable is not None:
        allowed &= pool.usable[:, None] & pool.usable[None, :]
    if pool.rewards is not None:
        margin = pool.rewards[:, None] - pool.rewards[None, :]
        allowed &= margin > 0
        if min_margin is not None:
            allowed &= margin >= min_margin
    chosen, rejected = np.nonzero(allowed)
    return chosen.astype(np.int64), rejected.astype(np.int64)
