"""Margin of the external reward, and whether it agrees with the label."""

import polars as pl

from curate.metrics.registry import metric


@metric(unit="reward units", prefer="high")
def reward_margin(chosen_reward: pl.Series, rejected_reward: pl.Series) -> pl.Series:
    """How much better the reward finds the chosen response; negative when it disagrees with the label.

    Formula: r(y+) - r(y-)

    Source: Bradley-Terry reward models; the margin of every paper below.
    """
    return chosen_reward - rejected_reward


@metric(unit="0 or 1", prefer="high")
def rm_agrees(reward_margin: pl.Series) -> pl.Series:
    """Whether the reward ranks the pair as labelled: 1 yes, 0 no; a tie counts as no.

    Formula: 1 if reward_margin > 0 else 0

    Source: RewardBench (arXiv 2403.13787), accuracy.
    """
    return (reward_margin > 0).cast(pl.Float64)
