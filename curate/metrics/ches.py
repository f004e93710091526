"""CHES: by how much training on a pair would push down the likelihood of its chosen response."""

import polars as pl

from curate.metrics.registry import metric


@metric(unit="squared hidden units", prefer="low")
def ches(hidden_product: pl.Series, hidden_square: pl.Series) -> pl.Series:
    """Centered hidden embedding similarity: where it is high, DPO pushes the chosen response's likelihood down.

    S is the sum of the policy's last hidden states over the positions that predict the response's tokens: from the last
    token of the prompt to the last but one.

    Formula: <S(y+), S(y-)> - |S(y+)|^2

    Source: Unintentional Unalignment (arXiv 2410.08847), definition 2.
    """
    return hidden_product - hidden_square


@metric(unit="squared hidden units", prefer="low")
def ches_norm(
    hidden_product: pl.Series, hidden_square: pl.Series, chosen_tokens: pl.Series, rejected_tokens: pl.Series
) -> pl.Series:
    """The length-normalised form of ches, which compares pairs of different length; its authors drop high pairs.

    Formula: <S(y+), S(y-)> / (n(y+) n(y-)) - |S(y+)|^2 / n(y+)^2

    Source: Unintentional Unalignment (arXiv 2410.08847), length-normalised CHES score.
    """
    return hidden_product / (chosen_tokens * rejected_tokens) - hidden_square / (chosen_tokens * chosen_tokens)
