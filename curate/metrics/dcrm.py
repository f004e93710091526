"""Distance Calibrated Reward Margin."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from curate.errors import SettingsError, did_you_mean
from curate.metrics.registry import Measured, Parameters, as_numbers, metric
from curate.parameters import CommaList, PositiveFloat

REF_COLUMNS = ("ref_chosen_logps", "ref_rejected_logps")
TERM_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "edit": ("edit_distance_norm",),
    "embedding": ("embedding_distance",),
    "logp": (*REF_COLUMNS, "chosen_tokens", "rejected_tokens"),
    "logp_sum": REF_COLUMNS,
}


def _resolve(parameters: Parameters, complete: frozenset[str]) -> dict[str, Any]:
    terms = tuple(dict.fromkeys(parameters["distance"]))
    if terms == ("auto",):
        terms = ("edit", "logp") if set(TERM_COLUMNS["logp"]) <= complete else ("edit",)
    if "auto" in terms:
        raise SettingsError(
            "dcrm.distance is either auto or a list of terms.",
            f"--set dcrm.distance={','.join(terms)}",
            "Leave out auto.",
        )
    for term in terms:
        if term not in TERM_COLUMNS:
            raise SettingsError(
                f"dcrm knows no distance {term!r}.",
                f"--set dcrm.distance={','.join(terms)}",
                did_you_mean(term, [*TERM_COLUMNS, "auto"]),
            )
    if not terms:
        raise SettingsError("dcrm needs a distance.", "--set dcrm.distance=", did_you_mean("", [*TERM_COLUMNS, "auto"]))
    return {**parameters, "distance": terms}


def _needs(parameters: Parameters) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for term in parameters["distance"] for column in TERM_COLUMNS[term]))


def distance_term(term: str, measured: Measured) -> pl.Series:
    """One term of the denominator, never negative; its unit is that of the term (0..1, 0..2, nats per token, nats)."""
    match term:
        case "edit":
            return measured["edit_distance_norm"]
        case "embedding":
            return measured["embedding_distance"]
        case "logp":
            chosen = as_numbers(measured["ref_chosen_logps"] / measured["chosen_tokens"])
            return as_numbers(chosen - measured["ref_rejected_logps"] / measured["rejected_tokens"]).abs()
        case _:
            return (measured["ref_chosen_logps"] - measured["ref_rejected_logps"]).abs()


def numerator(reward_margin: pl.Series, scale: float) -> pl.Series:
    """sigma(reward_margin / scale) - 0.5, written as tanh so that opposite margins are exact negatives."""
    return pl.Series(reward_margin.name, 0.5 * np.tanh(reward_margin.to_numpy() / (2 * scale)), nan_to_null=True)


@metric(unit="", prefer="high", monotone_in_edit=True, needs=_needs, resolve=_resolve)
def dcrm(
    reward_margin: pl.Series,
    measured: Measured,
    *,
    distance: CommaList = ("auto",),
    eps: PositiveFloat = 1.0,
    scale: PositiveFloat = 1.0,
) -> pl.Series:
    """Reward margin per distance: high when the chosen response is better by changing little.

    Negative when the reward disagrees with the label. A small eps lets near-duplicates win. Reward models with a
    narrow range (ArmoRM, about 0..0.2) want a small scale. `distance` is a list of edit, logp, embedding, logp_sum;
    auto is edit, and logp too when reference log-probabilities were measured for the whole table.

    Formula: (sigma(reward_margin / scale) - 0.5) / (sum of distance terms + eps)

    Source: DCRM (arXiv 2506.14157, EMNLP Findings 2025).
    """
    total = sum((distance_term(term, measured) for term in distance), start=pl.Series([eps]))
    return numerator(reward_margin, scale) / total
