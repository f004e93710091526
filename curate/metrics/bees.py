"""Bayesian aggregation of margins (BeeS), and the dual margins of the paper's first version."""

import numpy as np
import polars as pl

from curate.metrics.dpo_margin import implicit_nats
from curate.metrics.registry import Measured, Parameters, metric
from curate.registry import CommaList, Finite

EXTERNAL_DIVISOR, IMPLICIT_DIVISOR = 1.5, 2.0
PROBABILITY_FLOOR = 1e-6
FEW_ABOVE = 30


def _needs(parameters: Parameters) -> tuple[str, ...]:
    if not parameters["sources"]:
        return ("reward_margin",)
    names = dict.fromkeys(parameters["sources"])
    return tuple(f"{side}_reward_{name}" for name in names for side in ("chosen", "rejected"))


def upper_bound(margins: np.ndarray, divisor: float, low: float) -> float:
    """The margin above which a pair counts as certain.

    Starts at int(max / divisor) and rises by 1 until fewer than 30 margins are above it, or fewer than max - U, or it
    passes the largest margin. A bound at or below `low` would leave no interval; it then becomes low + 1.
    """
    largest = float(margins.max())
    bound = float(int(largest / divisor))
    ordered = np.sort(margins)
    while bound <= largest:
        above = margins.size - int(np.searchsorted(ordered, bound, side="right"))
        if above < FEW_ABOVE or above < largest - bound:
            break
        bound += 1
    return bound if bound > low else low + 1


def probability(margin: pl.Series, divisor: float, low: float) -> pl.Series:
    """How sure a margin makes us that the pair is ordered right, in [1e-6, 1 - 1e-6]; null for a null margin."""
    known = margin.drop_nulls().to_numpy()
    if not known.size:
        return margin
    above = margin.clip(low, upper_bound(known, divisor, low)) - low
    # The authors divide by the largest clipped margin, which is less than the bound if the bound passed it. If no
    # margin is above `low`, none is certain at all.
    largest = float(above.max())  # type: ignore[arg-type]
    return (above / (largest or 1.0)).clip(PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)


def aggregate(probabilities: list[pl.Series]) -> pl.Series:
    """prod p / (prod p + prod (1 - p)), computed as the logistic of the sum of logits."""
    logits = sum((np.log(p.to_numpy()) - np.log1p(-p.to_numpy()) for p in probabilities), start=np.zeros(1))
    return pl.Series(1 / (1 + np.exp(-logits)), nan_to_null=True)


@metric(unit="0..1", prefer="high", population=True, needs=_needs)
def bees(
    policy_chosen_logps: pl.Series,
    policy_rejected_logps: pl.Series,
    ref_chosen_logps: pl.Series,
    ref_rejected_logps: pl.Series,
    measured: Measured,
    *,
    low: Finite = -2.0,
    sources: CommaList = (),
) -> pl.Series:
    """Belief that the pair is ordered right, from the external and the implicit margin (summed nats, no beta).

    `sources` names reward sources of `curate score --reward NAME=...`; each then counts as a margin of its own in
    place of the combined reward.

    Formula: prod p_k / (prod p_k + prod (1 - p_k)), p_k = (clip(m, L, U) - L) / (max(clip(m, L, U)) - L) clamped to
    [1e-6, 1 - 1e-6]; L = low; U rises by 1 from int(max/1.5) (external) or int(max/2) (implicit) until few margins are
    above it

    Source: Less is More (arXiv 2502.14560, NeurIPS 2025), which trains on the top 10%.
    """
    named = [measured[f"chosen_reward_{n}"] - measured[f"rejected_reward_{n}"] for n in dict.fromkeys(sources)]
    external = named or [measured["reward_margin"]]
    implicit = implicit_nats(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    parts = [probability(margin, EXTERNAL_DIVISOR, low) for margin in external]
    return aggregate([*parts, probability(implicit, IMPLICIT_DIVISOR, low)])


@metric(unit="0..1", prefer="high", population=True)
def dual_margin_mul(
    reward_margin: pl.Series,
    policy_chosen_logps: pl.Series,
    policy_rejected_logps: pl.Series,
    ref_chosen_logps: pl.Series,
    ref_rejected_logps: pl.Series,
    *,
    low: Finite = -2.0,
) -> pl.Series:
    """The product form of the paper's first version: bees with one external and the implicit margin.

    Formula: p_ex p_im / (p_ex p_im + (1 - p_ex)(1 - p_im))

    Source: Less is More (arXiv 2502.14560, first version), DM-MUL.
    """
    implicit = implicit_nats(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    external = probability(reward_margin, EXTERNAL_DIVISOR, low)
    return aggregate([external, probability(implicit, IMPLICIT_DIVISOR, low)])


@metric(unit="reward units + nats", prefer="high")
def dual_margin_add(
    reward_margin: pl.Series,
    policy_chosen_logps: pl.Series,
    policy_rejected_logps: pl.Series,
    ref_chosen_logps: pl.Series,
    ref_rejected_logps: pl.Series,
) -> pl.Series:
    """The sum form of the paper's first version: external plus implicit margin, in whatever units they have.

    Formula: reward_margin + [(lp_pi - lp_ref)(y+) - (lp_pi - lp_ref)(y-)]

    Source: Less is More (arXiv 2502.14560, first version), DM-ADD.
    """
    return reward_margin + implicit_nats(
        policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps
    )
