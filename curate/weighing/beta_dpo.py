"""Beta-DPO: weights that fade pairs of outlying margins."""

import numpy as np

from curate.weighing.registry import Columns, method

NO_BETA = {"beta": "it cancels in the weight, and the trainer takes its own"}


@method(twin={"weight": "beta_dpo_weight"}, applies=NO_BETA)
def beta_dpo(beta_dpo_weight: np.ndarray) -> Columns:
    """A weight that is 1 at the data set's mean implicit margin and falls off like a Gaussian.

    Formula: that of the metric beta_dpo_weight

    Source: beta-DPO (arXiv 2407.08639), code.
    """
    return {"beta_dpo_weight": beta_dpo_weight}
