"""How much the prompt helps to say the chosen response."""

import polars as pl

from curate.metrics.registry import metric


@metric(unit="ratio", prefer="high")
def ifd(policy_chosen_logps: pl.Series, chosen_tokens: pl.Series, policy_chosen_alp_alone: pl.Series) -> pl.Series:
    """Instruction-following difficulty: loss per token of the chosen response with its prompt, over that without.

    Without its prompt it is read behind the assistant's header alone; both means are over the same tokens.

    Near 0 the prompt tells nearly everything; above 1 it makes the response less likely. The paper drops what is above
    1, and keeps the highest 10% of the rest.

    Formula: (-lp(y+ | x) / n(y+)) / (-lp(y+ | header) / n(y+))

    Source: Cherry LLM / IFD (arXiv 2308.12032), code.
    """
    return (policy_chosen_logps / chosen_tokens) / policy_chosen_alp_alone
