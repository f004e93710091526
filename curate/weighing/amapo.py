"""AMaPO: an extra margin for the pairs that the policy gets wrong or barely right."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from curate.registry import PositiveFloat
from curate.weighing.registry import Columns, batches, method


def adaptive_margins(gaps: np.ndarray, beta: float) -> np.ndarray:
    """The margins of one batch: 0 at or above its mean gap, and where the gaps do not vary."""
    if gaps.size < 2:
        return np.zeros(gaps.size)
    mean, spread = gaps.mean(), gaps.std(ddof=1)
    if spread <= 1e-12 * np.abs(gaps).max():
        return np.zeros(gaps.size)
    below = gaps < mean
    distance = np.where(below, (mean - gaps) / spread, 0.0)
    found: np.ndarray = np.where(below, beta * np.exp(distance * mean), 0.0)
    return found


@method(
    twin={"target_margin": "amapo_margin"},
    presets={"mistral-7b": {"beta": 2.0}, "llama-3-8b": {"beta": 2.5}},
)
def amapo(
    policy_chosen_logps: np.ndarray,
    policy_rejected_logps: np.ndarray,
    chosen_tokens: np.ndarray,
    rejected_tokens: np.ndarray,
    *,
    beta: PositiveFloat = 2.0,
    batch: Annotated[int, Field(ge=2)] | Literal["all"] = "all",
) -> Columns:
    """A target margin for pairs whose per-token gap is below the mean, growing with the distance from it.

    Formula: d = alp_pi(y+) - alp_pi(y-); margin = beta * exp(((mean - d) / s) * mean) if d < mean else 0; s unbiased

    Source: AMaPO (arXiv 2511.09385), code.
    """
    gaps = policy_chosen_logps / chosen_tokens - policy_rejected_logps / rejected_tokens
    margins = [adaptive_margins(gaps[rows], beta) for rows in batches(gaps.size, batch)]
    return {"amapo_margin": np.concatenate([np.zeros(0), *margins])}
