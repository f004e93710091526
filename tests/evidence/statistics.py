"""Intervals and verdicts: a bootstrap over draws and prompts, Holm's correction, and what a claim comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 4000
LEVEL = 0.05


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95% interval and the two-sided bootstrap p-value of its being 0."""

    mean: float
    low: float
    high: float
    p: float
    draws: int


def estimate(draws: Sequence[Sequence[float]], seed: int = 0) -> Estimate:
    """Bootstrap of the mean over draws, and within each draw over its prompts.

    Args:
        draws: per draw one value per prompt; every draw weighs the same. NaN values are left out.

    Raises:
        ValueError: no draw, or a draw without values.
    """
    values = [np.asarray(one, dtype=float) for one in draws]
    values = [one[~np.isnan(one)] for one in values]
    if not values or any(one.size == 0 for one in values):
        raise ValueError("every draw needs at least one value")
    rng = np.random.default_rng(seed)
    picked = rng.integers(len(values), size=(RESAMPLES, len(values)))
    drawn = np.empty(picked.shape)
    for at, one in enumerate(values):
        rows = rng.integers(one.size, size=(int((picked == at).sum()), one.size))
        drawn[picked == at] = one[rows].mean(axis=1)
    means = drawn.mean(axis=1)
    low, high = np.quantile(means, [LEVEL / 2, 1 - LEVEL / 2])
    tail = min(int((means <= 0).sum()), int((means >= 0).sum()))
    p = min(1.0, 2 * (tail + 1) / (RESAMPLES + 1))
    return Estimate(float(np.mean([one.mean() for one in values])), float(low), float(high), p, len(values))


def paired(ours: Mapping[int, Sequence[float]], control: Mapping[int, Sequence[float]]) -> list[list[float]]:
    """Differences by draw and prompt, for the draws that both have.

    Raises:
        ValueError: two cells of one draw answered different numbers of prompts.
    """
    return [
        [a - b for a, b in zip(ours[draw], control[draw], strict=True)] for draw in sorted(ours.keys() & control.keys())
    ]


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given."""
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, at in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[at]))
        adjusted[at] = highest
    return adjusted


def verdict(found: Estimate, adjusted: float, sign: str, least: int) -> str:
    """`holds`, `does not` or `cannot tell`.

    Args:
        found: the difference that the claim is about.
        adjusted: its p-value after Holm's correction.
        sign: `+` if the claim expects it above 0; `not -` if it expects it not to be below 0.
        least: draws below which nothing is concluded.
    """
    if found.draws < least:
        return "cannot tell"
    if found.high < 0 and adjusted < LEVEL:
        return "does not"
    if sign == "not -":
        return "holds" if found.low >= 0 else "cannot tell"
    return "holds" if found.low > 0 and adjusted < LEVEL else "cannot tell"
