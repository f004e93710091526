"""AIR: pairs of a good chosen response and a moderate margin."""

from typing import Annotated

import polars as pl
from pydantic import Field

from curate.metrics.registry import metric

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


@metric(unit="0 or 1", prefer="high", population=True)
def air(
    chosen_reward: pl.Series,
    reward_margin: pl.Series,
    *,
    quantile: Share = 0.5,
    low: Share = 0.25,
    high: Share = 0.75,
) -> pl.Series:
    """1 where the chosen response is rated at least `quantile` high and the margin is in the middle band; else 0.

    Quantiles are over the data set, each over the rows that have that value, between two rows by linear interpolation.

    Formula: r(y+) >= Q_quantile(r(y+)) and Q_low(reward_margin) <= reward_margin <= Q_high(reward_margin)

    Source: AIR (arXiv 2504.03612), abstract: moderate margins and high absolute scores; the quantiles are ours.
    """
    frame = pl.DataFrame({"chosen": chosen_reward, "margin": reward_margin})
    chosen, margin = pl.col("chosen"), pl.col("margin")
    good = chosen >= chosen.quantile(quantile, "linear")
    moderate = (margin >= margin.quantile(low, "linear")) & (margin <= margin.quantile(high, "linear"))
    known = pl.all_horizontal(pl.all().is_not_null())
    return frame.select(pl.when(known).then((good & moderate).cast(pl.Float64))).to_series()
