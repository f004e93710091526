"""Alignment potential: pairs on which reward and policy disagree most."""

from typing import Any, Literal

import polars as pl

from curate.metrics.dpo_margin import implicit_nats
from curate.metrics.registry import Measured, Parameters, as_numbers, metric
from curate.registry import NonNegativeFloat, PositiveFloat

POLICY_COLUMNS = ("policy_chosen_logps", "policy_rejected_logps")
TOKEN_COLUMNS = ("chosen_tokens", "rejected_tokens")
REF_COLUMNS = ("ref_chosen_logps", "ref_rejected_logps")


DEFAULT_BETA = {"simpo": 1.0, "dpo": 0.1}


def _resolve(parameters: Parameters, _: frozenset[str]) -> dict[str, Any]:
    if parameters["beta"] is not None:
        return dict(parameters)
    return {**parameters, "beta": DEFAULT_BETA[parameters["implicit"]]}


def _needs(parameters: Parameters) -> tuple[str, ...]:
    uses_reference = parameters["form"] == "raw" and parameters["implicit"] == "dpo"
    return (*POLICY_COLUMNS, *(REF_COLUMNS if uses_reference else TOKEN_COLUMNS))


def zscore(values: pl.Series) -> pl.Series:
    """(x - mean) / std over the whole column with ddof 0; all zeros if the column is constant."""
    deviation = values.std(ddof=0)
    centred = values - values.mean()
    if not isinstance(deviation, float) or deviation <= 1e-12 * float(values.abs().max() or 0):  # type: ignore[arg-type]
        return centred * 0.0
    return centred / deviation


def _implicit_margin(measured: Measured, implicit: str) -> pl.Series:
    if implicit == "dpo":
        return implicit_nats(*(measured[name] for name in (*POLICY_COLUMNS, *REF_COLUMNS)))
    alps = [measured[f"policy_{side}_logps"] / measured[f"{side}_tokens"] for side in ("chosen", "rejected")]
    return as_numbers(alps[0] - alps[1])


ONLY = {"implicit": {"form": "raw"}, "beta": {"form": "raw"}, "weight": {"form": "zscore"}}


@metric(unit="z or reward units", prefer="high", population=True, needs=_needs, resolve=_resolve, applies=ONLY)
def alignment_potential(
    reward_margin: pl.Series,
    measured: Measured,
    *,
    form: Literal["zscore", "raw"] = "zscore",
    implicit: Literal["simpo", "dpo"] = "simpo",
    weight: NonNegativeFloat = 1.0,
    beta: PositiveFloat | None = None,
) -> pl.Series:
    """How much the reward still sees to gain on a pair that the policy does not yet tell apart.

    The z form always uses the per-token margin (SimPO's); `implicit` and `beta` (by default that of
    simpo_margin, 1, or of dpo_margin, 0.1) belong to the raw form, `weight` (2.5 in the authors' self-play run) to the
    z form.

    Formula: zscore: z(|reward_margin|) - weight * z(|alp_pi(y+) - alp_pi(y-)|);
    raw: |reward_margin| - |beta * implicit margin|

    Source: Alignment potential (arXiv 2503.01864, ICML 2025); the authors keep 40%.
    """
    reward = reward_margin.abs()
    margin = _implicit_margin(measured, implicit if form == "raw" else "simpo").abs()
    if form == "raw":
        return reward - (beta or DEFAULT_BETA[implicit]) * margin
    return zscore(reward) - weight * zscore(margin)
