"""The Gaussian weight of beta-DPO."""

import polars as pl

from curate.metrics.alignment_potential import zscore
from curate.metrics.registry import metric


@metric(unit="0..1", prefer="high", population=True)
def beta_dpo_weight(dpo_margin: pl.Series) -> pl.Series:
    """How close the pair's implicit margin is to the data set's mean: outliers on either side count less.

    Formula: exp(-0.5 * ((A - mean(A)) / std(A))^2), A = dpo_margin / beta (its beta cancels), std with ddof 0

    Source: beta-DPO (arXiv 2407.08639), code.
    """
    return (-0.5 * zscore(dpo_margin) ** 2).exp()
