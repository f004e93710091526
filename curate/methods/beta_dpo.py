"""Beta-DPO: weights that fade pairs of outlying margins."""

import numpy as np

from curate.methods.registry import Columns, method
from curate.parameters import PositiveFloat


@method(twin={"weight": "beta_dpo_weight"})
def beta_dpo(beta_dpo_weight: np.ndarray, *, beta: PositiveFloat = 0.1) -> Columns:
    """A weight that is 1 at the data set's mean implicit margin and falls off like a Gaussian.

    `beta` is the trainer's; it cancels in the weight and only goes into the manifest.

    Formula: that of the metric beta_dpo_weight

    Source: beta-DPO (arXiv 2407.08639), code.
    """
    return {"beta_dpo_weight": beta_dpo_weight}
