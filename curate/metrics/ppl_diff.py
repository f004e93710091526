"""By how much the policy finds the chosen response more surprising than the rejected one."""

import polars as pl

from curate.metrics.registry import metric


@metric(unit="nats/token", prefer="low")
def ppl_diff(
    policy_chosen_logps: pl.Series,
    policy_rejected_logps: pl.Series,
    chosen_tokens: pl.Series,
    rejected_tokens: pl.Series,
) -> pl.Series:
    """Log-perplexity of the chosen response less that of the rejected; where it is high, the label is suspect.

    It is simpo_margin at beta 1 with its sign turned; the paper reads it under a model aligned on clean pairs.

    Formula: log PPL(y+) - log PPL(y-) = lp_pi(y-)/n(y-) - lp_pi(y+)/n(y+)

    Source: PerpCorrect (Perplexity-aware Correction for Robust Alignment with Noisy Preferences, NeurIPS 2024).
    """
    return policy_rejected_logps / rejected_tokens - policy_chosen_logps / chosen_tokens
