"""BPO: the weaker side of each pair decides."""

import numpy as np

from curate.errors import SettingsError
from curate.registry import PositiveFloat
from curate.weighing.registry import Columns, method


@method()
def bpo(
    policy_chosen_logps: np.ndarray,
    policy_rejected_logps: np.ndarray,
    ref_chosen_logps: np.ndarray,
    ref_rejected_logps: np.ndarray,
    *,
    beta: PositiveFloat = 0.1,
    alpha: PositiveFloat = 0.3,
) -> Columns:
    """The balanced margin, which side binds it, and whether the chosen response lost probability.

    Formula: rho = beta * min(lr+, -alpha * lr-), lr = lp_pi - lp_ref

    Source: BPO (arXiv 2506.03557), code.

    Raises:
        SettingsError: policy and reference are the same model, so that every log-ratio is 0.
    """
    gained = policy_chosen_logps - ref_chosen_logps
    lost = -alpha * (policy_rejected_logps - ref_rejected_logps)
    if gained.size and not gained.any() and not lost.any():
        raise SettingsError(
            "BPO needs a policy that differs from the reference: here every log-ratio is 0.",
            setting="method",
            value="bpo",
            hint="Score with the policy after some training, and its starting point as reference.",
        )
    return {
        "bpo_margin": beta * np.minimum(gained, lost),
        "bpo_binding": np.where(gained <= lost, "chosen", "rejected"),
        "chosen_degraded": gained < 0,
    }
