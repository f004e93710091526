"""RePO: a hinge on the per-token gap."""

import numpy as np

from curate.registry import PositiveFloat
from curate.weighing.registry import Columns, method


@method(
    twin={"weight": "repo_active"},
    presets={"gemma-2-9b-it": {"gamma": 0.4}, "mistral-7b-it": {"gamma": 0.4}, "llama-3-8b-it": {"gamma": 0.6}},
)
def repo(
    policy_chosen_logps: np.ndarray,
    policy_rejected_logps: np.ndarray,
    chosen_tokens: np.ndarray,
    rejected_tokens: np.ndarray,
    *,
    gamma: PositiveFloat = 0.4,
) -> Columns:
    """How far the pair is from its margin, and whether the hinge is active: only then does it teach anything.

    Formula: M = alp_pi(y+) - alp_pi(y-); repo_gap = gamma - M; repo_active = M < gamma

    Source: RePO (arXiv 2503.07426), code.
    """
    gap = gamma - (policy_chosen_logps / chosen_tokens - policy_rejected_logps / rejected_tokens)
    return {"repo_gap": gap, "repo_active": gap > 0}
