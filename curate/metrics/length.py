"""How the two responses differ in length."""

import polars as pl

from curate.metrics.registry import metric


@metric(unit="ratio", prefer="high")
def length_ratio(chosen_tokens: pl.Series, rejected_tokens: pl.Series) -> pl.Series:
    """How many times longer the chosen response is; describes, so "top" means numerically largest.

    Formula: n(y+) / n(y-)

    Source: length control, e.g. length-controlled AlpacaEval (arXiv 2404.04475).
    """
    return chosen_tokens / rejected_tokens


@metric(unit="tokens", prefer="high")
def length_difference(chosen_tokens: pl.Series, rejected_tokens: pl.Series) -> pl.Series:
    """How many tokens longer the chosen response is; describes, so "top" means numerically largest.

    Formula: n(y+) - n(y-)

    Source: length control, e.g. length-controlled AlpacaEval (arXiv 2404.04475).
    """
    return chosen_tokens - rejected_tokens
