"""MADPO: weights that sharpen or soften the loss by the reward margin."""

from typing import Annotated

import numpy as np
from pydantic import Field

from curate.registry import NonNegativeFloat, PositiveFloat
from curate.weighing.registry import Columns, method


def _log_sigmoid(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = -np.logaddexp(0.0, -values)
    return found


@method(twin={"weight": "madpo_weight"})
def madpo(
    reward_margin: np.ndarray,
    *,
    c_max: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0,
    c_min: Annotated[float, Field(gt=0, lt=1)] = 0.5,
    lambda_: PositiveFloat = 1.0,
    tau: NonNegativeFloat = 2.0,
) -> Columns:
    """A loss weight from a Bradley-Terry reward margin; back at 1 where the margin is at most -tau (`madpo_reverted`).

    Formula: c = c_min + (c_max - c_min) / (1 + ((c_max - 1) / (1 - c_min)) * exp(lambda * (|h| - tau))); weight =
    sigma(c h) / sigma(h) if h > -tau else 1

    Source: MADPO (arXiv 2510.05342, v1), code.
    """
    inside = reward_margin > -tau
    h = np.where(inside, reward_margin, 0.0)
    steepness = np.minimum(lambda_ * (np.abs(h) - tau), 700.0)  # exp stays finite; c is c_min long before
    c = c_min + (c_max - c_min) / (1 + ((c_max - 1) / (1 - c_min)) * np.exp(steepness))
    ratio = np.exp(_log_sigmoid(c * h) - _log_sigmoid(h))
    return {"madpo_weight": np.where(inside, ratio, 1.0), "madpo_reverted": ~inside}
