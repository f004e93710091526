"""How many of several reward models prefer the chosen response."""

from collections.abc import Collection

import polars as pl

from curate.metrics.registry import Measured, Parameters, metric
from curate.registry import CommaList

CHOSEN, REJECTED = "chosen_reward_", "rejected_reward_"
FEWEST = 2


def named_sources(columns: Collection[str]) -> tuple[str, ...]:
    """Names of the reward sources that have rated both sides, in alphabetical order."""
    named = {name.removeprefix(CHOSEN) for name in columns if name.startswith(CHOSEN)}
    return tuple(sorted(name for name in named if f"{REJECTED}{name}" in columns))


def _resolve(parameters: Parameters, present: frozenset[str]) -> Parameters:
    sources = tuple(dict.fromkeys(parameters["sources"]))
    return {**parameters, "sources": sources or named_sources(present)}


def _needs(parameters: Parameters) -> tuple[str, ...]:
    sources = parameters["sources"]
    # One voter, or none, lacks the columns of another, whose name nobody knows.
    voters = sources if len(sources) >= FEWEST else (*sources, "NAME")
    return tuple(f"{side}{name}" for name in voters for side in (CHOSEN, REJECTED))


@metric(unit="0..1", prefer="high", needs=_needs, resolve=_resolve)
def rm_votes(measured: Measured, *, sources: CommaList = ()) -> pl.Series:
    """Share of the named reward sources that prefer the chosen response, ties counted against it.

    Every source of `curate score --reward NAME=...` votes, or those that `sources` names: two or more.

    Formula: mean over k of [r_k(y+) > r_k(y-)]

    Source: PrefCleanBench (arXiv 2509.23564), code: its VoteMaj drops pairs for which fewer than half vote.
    """
    votes = [measured[f"{CHOSEN}{name}"] > measured[f"{REJECTED}{name}"] for name in sources]
    # Nulls stay null: a pair that one source could not rate has no share that compares with the others'.
    return sum((vote.cast(pl.Float64) for vote in votes[1:]), start=votes[0].cast(pl.Float64)) / len(votes)
