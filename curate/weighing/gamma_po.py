"""Gamma-PO: a target margin of its own for every pair."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from curate.registry import PositiveFloat
from curate.weighing.registry import Batch, Columns, batches, method

SIMPO_COLUMNS = ("policy_chosen_logps", "policy_rejected_logps", "chosen_tokens", "rejected_tokens")
DPO_COLUMNS = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")
FLOOR = 1e-10
PRESETS = {
    "llama-3-8b-it": {"beta": 10, "ratio": 0.4, "tau": 10},
    "gemma-2-9b-it": {"beta": 10, "ratio": 0.5, "tau": 20},
    "mistral-7b-it": {"beta": 2.5, "ratio": 0.15, "tau": 10},
    "qwen2.5-7b-it": {"beta": 10, "ratio": 0.3, "tau": 3},
}


def _needs(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    return SIMPO_COLUMNS if parameters["form"] == "simpo" else DPO_COLUMNS


def _sigmoid(values: np.ndarray) -> np.ndarray:
    logistic: np.ndarray = 0.5 + 0.5 * np.tanh(values / 2)
    return logistic


def target_margins(rewards: np.ndarray, mean_margin: float, tau: float, steps: int) -> np.ndarray:
    """The margins of one batch, of mean exactly `mean_margin`: exponentiated gradient on the simplex.

    Its fixed point is mean_margin * B * softmax(-(mean_margin / tau) * sigma(margin - reward)).
    """
    size = rewards.size
    share = np.full(size, 1 / size)
    rate = min(0.5 / tau, 1.0)
    for _ in range(steps):
        margins = mean_margin * size * share
        gradient = tau * (1 + np.log(size * (share + FLOOR))) + mean_margin * _sigmoid(margins - rewards)
        # Subtracting the smallest gradient cancels in the normalisation, and keeps exp from underflowing to all zeros.
        share = share * np.exp(-rate * (gradient - gradient.min()))
        share = share / share.sum()
    found: np.ndarray = mean_margin * size * share
    return found


@method(twin={"target_margin": "gamma_po_margin"}, presets=PRESETS, needs=_needs)
def gamma_po(
    measured: Mapping[str, np.ndarray],
    *,
    beta: PositiveFloat = 10.0,
    ratio: PositiveFloat = 0.4,
    tau: PositiveFloat = 10.0,
    form: Literal["simpo", "dpo"] = "simpo",
    batch: Annotated[int, Field(ge=2)] | Literal["all"] = 256,
    steps: Annotated[int, Field(ge=1)] = 20,
) -> Columns:
    """A target margin per pair: larger where the policy already tells the pair apart, of mean ratio * beta.

    Formula: r = beta * gap; margin_i = gamma0 * B * p_i after 20 steps of exponentiated gradient from p uniform, gamma0
    = ratio * beta; the DPO form subtracts gamma0

    Source: gamma-PO (arXiv 2506.03690), code.
    """
    policy = [measured[f"policy_{side}_logps"] for side in ("chosen", "rejected")]
    if form == "simpo":
        gap = policy[0] / measured["chosen_tokens"] - policy[1] / measured["rejected_tokens"]
    else:
        gap = (policy[0] - measured["ref_chosen_logps"]) - (policy[1] - measured["ref_rejected_logps"])
    mean_margin = ratio * beta
    population: Batch = batch
    margins = [target_margins(beta * gap[rows], mean_margin, tau, steps) for rows in batches(gap.size, population)]
    found = np.concatenate([np.zeros(0), *margins])
    return {"gamma_po_margin": found if form == "simpo" else found - mean_margin}
