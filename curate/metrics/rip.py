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
    frame = pl.DataFrame({"reward": rejected_reward, "tokens": rejected_tokens, "margin": reward_margin})
    good, long = (pl.col(name) >= pl.col(name).median() for name in ("reward", "tokens"))
    close = pl.col("margin") <= pl.col("margin").median()
    known = pl.all_horizontal(pl.all().is_not_null())
    return frame.select(pl.when(known).then((good & long & close).cast(pl.Float64))).to_series()
