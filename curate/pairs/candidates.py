"""The candidates of one prompt, and the ordered pairs that may be made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Pairs = tuple[np.ndarray, np.ndarray]
"""Positions of the chosen and of the rejected responses, two int64 arrays of one length."""


@dataclass(frozen=True)
class Candidates:
    """One prompt's responses.

    Attributes:
        rewards: float64 [n], NaN where a response has none; None where nothing rates responses.
        texts: int64 [n], equal numbers for equal texts.
        may_be_chosen: bool [n], false for truncated responses.
        draws: a random number for each response, uint64 [n], for the strategies that draw; None for the others.
    """

    rewards: np.ndarray | None
    texts: np.ndarray
    may_be_chosen: np.ndarray
    draws: np.ndarray | None = None

    @property
    def size(self) -> int:
        """How many responses there are."""
        return int(self.texts.size)


def ordered_pairs(pool: Candidates, min_margin: float | None = None) -> Pairs:
    """All ordered pairs (chosen, rejected), by chosen position, then rejected position.

    The chosen response has the larger reward, where there are rewards, by at least `min_margin`; texts differ; a
    response that must not be chosen is not. A response without a reward takes part in no pair.
    """
    differ = pool.texts[:, None] != pool.texts[None, :]
    allowed = differ & pool.may_be_chosen[:, None]
    if pool.rewards is not None:
        margin = pool.rewards[:, None] - pool.rewards[None, :]
        allowed &= margin > 0
        if min_margin is not None:
            allowed &= margin >= min_margin
    chosen, rejected = np.nonzero(allowed)
    return chosen.astype(np.int64), rejected.astype(np.int64)
