"""The Gaussian weight of beta-DPO."""

import polars as pl

from curate.metrics.alignment_potential import zscore
from curate.metrics.dpo_margin import implicit_nats
from curate.metrics.registry import metric


@metric(unit="0..1", prefer="high", population=True)
def beta_dpo_weight(
    policy_chosen_logps: pl.Series,
    policy_rejected_logps: pl.Series,
    ref_chosen_logps: pl.Series,
    ref_rejected_logps: pl.Series,
) -> pl.Series:
    """How close the pair's implicit margin is to the data set's mean: outliers on either side count less.

    Formula: exp(-0.5 * ((A - mean(A)) / std(A))^2), A = (lp_pi - lp_ref)(y+) - (lp_pi - lp_ref)(y-) in nats (any beta
    cancels), std with ddof 0

    Source: beta-DPO (arXiv 2407.08639), code.
    """
    margin = implicit_nats(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return (-0.5 * zscore(margin) ** 2).exp()
