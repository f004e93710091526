"""RIP: prompts whose rejected response is good and long, and whose two responses are close."""

import polars as pl

from curate.metrics.registry import metric


@metric(unit="0 or 1", prefer="high", population=True)
def rip(rejected_reward: pl.Series, rejected_tokens: pl.Series, reward_margin: pl.Series) -> pl.Series:
    """1 where the rejected response is no worse and no shorter than the median one, and the margin no larger; else 0.

    Medians are over the data set, each over the rows that have that value.

    Formula: r(y-) >= median r(y-) and n(y-) >= median n(y-) and reward_margin <= median reward_margin

    Source: RIP (arXiv 2501.18578); thresholds at the medians.
    """
    survives = (
        (rejected_reward >= rejected_reward.median())
        & (rejected_tokens >= rejected_tokens.median())
        & (reward_margin <= reward_margin.median())
    )
    known = rejected_reward.is_not_null() & rejected_tokens.is_not_null() & reward_margin.is_not_null()
    return pl.select(pl.when(known).then(survives.cast(pl.Float64))).to_series()
