"""The methods' formulas read straight from the specification, row by row, and short ways to run the real ones."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from curate.weighing.registry import all_methods, find_method, weights_of
from tests.metrics.tables import forms

INPUTS = {
    "gamma_po": ("policy_chosen_logps", "policy_rejected_logps", "chosen_tokens", "rejected_tokens"),
    "madpo": ("chosen_reward", "rejected_reward"),
    "amapo": ("policy_chosen_logps", "policy_rejected_logps", "chosen_tokens", "rejected_tokens"),
    "bpo": ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps"),
    "repo": ("policy_chosen_logps", "policy_rejected_logps", "chosen_tokens", "rejected_tokens"),
    "beta_dpo": ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps"),
}
CASES: list[tuple[str, dict[str, Any]]] = [(name, given) for name, one in all_methods().items() for given in forms(one)]
"""Every method of the room in every form."""


def inputs_of(name: str, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    return INPUTS["bpo"] if parameters.get("form") == "dpo" else INPUTS[name]


def columns(
    name: str, frame: pl.DataFrame | Mapping[str, Any], preset: str | None = None, **given: Any
) -> dict[str, pl.Series]:
    """The method's columns over a table."""
    chosen = find_method(name)
    return weights_of(chosen, pl.DataFrame(frame), chosen.parameters(given, preset))


def array(column: pl.Series) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in column.to_list()], dtype=float)


def per_token(gaps: list[float]) -> dict[str, list[float]]:
    """Rows of these SimPO gaps: ten tokens a side, the rejected side always at -3 nats a token."""
    ten = [10] * len(gaps)
    return {
        "policy_chosen_logps": [10 * (gap - 3.0) for gap in gaps],
        "policy_rejected_logps": [-30.0] * len(gaps),
        "chosen_tokens": ten,
        "rejected_tokens": ten,
    }


def moved(gained: list[float], lost: list[float]) -> dict[str, list[float]]:
    """Rows of these log-ratios: the reference always at -20 nats."""
    return {
        "policy_chosen_logps": [-20.0 + value for value in gained],
        "policy_rejected_logps": [-20.0 + value for value in lost],
        "ref_chosen_logps": [-20.0] * len(gained),
        "ref_rejected_logps": [-20.0] * len(lost),
    }


def rewarded(margins: list[float]) -> dict[str, list[float]]:
    return {"chosen_reward": list(margins), "rejected_reward": [0.0] * len(margins)}


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def simpo_gaps(frame: pl.DataFrame) -> list[float]:
    return [
        row["policy_chosen_logps"] / row["chosen_tokens"] - row["policy_rejected_logps"] / row["rejected_tokens"]
        for row in frame.iter_rows(named=True)
    ]


def ratios(frame: pl.DataFrame, side: str) -> list[float]:
    return (frame[f"policy_{side}_logps"] - frame[f"ref_{side}_logps"]).to_list()


def dpo_gaps(frame: pl.DataFrame) -> list[float]:
    return [up - down for up, down in zip(ratios(frame, "chosen"), ratios(frame, "rejected"), strict=True)]


def plain_gamma_po(
    gaps: list[float], beta: float = 10, ratio: float = 0.4, tau: float = 10, steps: int = 20
) -> list[float]:
    """One batch; SimPO form."""
    size, gamma0, eta = len(gaps), ratio * beta, min(0.5 / tau, 1)
    p = [1 / size] * size
    for _ in range(steps):
        g = [
            tau * (1 + math.log(size * (p[i] + 1e-10))) + gamma0 * sigma(gamma0 * size * p[i] - beta * gaps[i])
            for i in range(size)
        ]
        p = [p[i] * math.exp(-eta * g[i]) for i in range(size)]
        total = sum(p)
        p = [share / total for share in p]
    return [gamma0 * size * share for share in p]


def plain_madpo(h: float, c_max: float = 2, c_min: float = 0.5, lambda_: float = 1, tau: float = 2) -> float:
    if h <= -tau:
        return 1.0
    c = c_min + (c_max - c_min) / (1 + ((c_max - 1) / (1 - c_min)) * math.exp(lambda_ * (abs(h) - tau)))
    return sigma(c * h) / sigma(h)


def plain_amapo(gaps: list[float], beta: float = 2.0) -> list[float]:
    """One batch."""
    mu = sum(gaps) / len(gaps)
    s = math.sqrt(sum((d - mu) ** 2 for d in gaps) / (len(gaps) - 1))
    return [beta * math.exp(((mu - d) / s) * mu) if d < mu else 0.0 for d in gaps]
