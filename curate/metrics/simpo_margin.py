"""Implicit reward margin of SimPO."""

import polars as pl

from curate.metrics.registry import metric
from curate.registry import PositiveFloat


@metric(unit="beta * nats/token", prefer="high")
def simpo_margin(
    policy_chosen_logps: pl.Series,
    policy_rejected_logps: pl.Series,
    chosen_tokens: pl.Series,
    rejected_tokens: pl.Series,
    *,
    beta: PositiveFloat = 1.0,
) -> pl.Series:
    """How much likelier a token of the chosen response is, on average, than one of the rejected; needs no reference.

    Formula: beta * [lp_pi(y+)/n(y+) - lp_pi(y-)/n(y-)]

    Source: SimPO (arXiv 2405.14734), equation 4.
    """
    return beta * (policy_chosen_logps / chosen_tokens - policy_rejected_logps / rejected_tokens)
