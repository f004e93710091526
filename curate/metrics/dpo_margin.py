"""Implicit reward margin of DPO, and the gap by which hard pairs are found."""

import polars as pl

from curate.metrics.registry import as_numbers, metric
from curate.registry import PositiveFloat


def implicit_nats(
    policy_chosen: pl.Series, policy_rejected: pl.Series, ref_chosen: pl.Series, ref_rejected: pl.Series
) -> pl.Series:
    """The implicit margin without a beta, (lp_pi - lp_ref)(y+) - (lp_pi - lp_ref)(y-), in nats."""
    return as_numbers((policy_chosen - ref_chosen) - (policy_rejected - ref_rejected))


@metric(unit="beta * nats", prefer="high")
def dpo_margin(
    policy_chosen_logps: pl.Series,
    policy_rejected_logps: pl.Series,
    ref_chosen_logps: pl.Series,
    ref_rejected_logps: pl.Series,
    *,
    beta: PositiveFloat = 0.1,
) -> pl.Series:
    """How much more the policy has moved towards the chosen response than towards the rejected one.

    Formula: beta * [(lp_pi - lp_ref)(y+) - (lp_pi - lp_ref)(y-)]

    Source: DPO (arXiv 2305.18290), section 4.
    """
    return beta * implicit_nats(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)


@metric(unit="beta * nats", prefer="low")
def dpo_gap(dpo_margin: pl.Series) -> pl.Series:
    """The DPO margin read as difficulty: the smallest gap is the hardest pair, and the best one to train on.

    Formula: dpo_margin; smallest first

    Source: arXiv 2508.04149, which keeps the hardest 10%.
    """
    return dpo_margin
