"""How much more the prompt helps to say the rejected response than the chosen one."""

import polars as pl

from curate.metrics.registry import metric


@metric(unit="ratio", prefer="high")
def ifd_gap(
    policy_chosen_logps: pl.Series,
    chosen_tokens: pl.Series,
    policy_chosen_alp_alone: pl.Series,
    policy_rejected_logps: pl.Series,
    rejected_tokens: pl.Series,
    policy_rejected_alp_alone: pl.Series,
) -> pl.Series:
    """IFD of the chosen response less that of the rejected; its authors drop the lowest pairs.

    Formula: ifd(y+) - ifd(y-), ifd(y) = (lp(y | x) / n(y)) / (lp(y | header) / n(y))

    Source: PrefCleanBench (arXiv 2509.23564), code: IFD-Gap, which drops the lowest 10% to 40%.
    """
    chosen = (policy_chosen_logps / chosen_tokens) / policy_chosen_alp_alone
    return chosen - (policy_rejected_logps / rejected_tokens) / policy_rejected_alp_alone
