"""WPO's weight: how likely the policy itself is to write the pair's responses."""

import numpy as np
import polars as pl

from curate.metrics.registry import metric


@metric(unit="0..1", prefer="high")
def wpo_weight(
    policy_chosen_logps: pl.Series,
    chosen_tokens: pl.Series,
    policy_chosen_collision: pl.Series,
    policy_rejected_logps: pl.Series,
    rejected_tokens: pl.Series,
    policy_rejected_collision: pl.Series,
) -> pl.Series:
    """Weight of the pair in WPO: near 1 where the policy could have written both responses, near 0 where it could not.

    A token counts by its log-probability less that of two draws at its position being equal, so that a token sampled
    from the policy counts about 0 whether the policy is sure there or not.

    Formula: min(1, exp(m(y+) + m(y-))), m(y) = mean over tokens of [log pi(token) - log sum_v pi(v)^2]

    Source: WPO (arXiv 2406.11827), section 3.2 on weight alignment, code.
    """
    chosen = policy_chosen_logps / chosen_tokens - policy_chosen_collision
    rejected = policy_rejected_logps / rejected_tokens - policy_rejected_collision
    return pl.Series(np.exp(np.minimum(0.0, (chosen + rejected).to_numpy())), nan_to_null=True)
