"""Distance Calibrated Reward Margin."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from curate.errors import SettingsError, did_you_mean
from curate.metrics.registry import Measured, Parameters, as_numbers, metric
from curate.registry import CommaList, PositiveFloat

REF_COLUMNS = ("ref_chosen_logps", "ref_rejected_logps")
TERM_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "edit_count": ("edit_distance",),
    "logp_sum": REF_COLUMNS,
    "edit": ("edit_distance_norm",),
    "logp": (*REF_COLUMNS, "chosen_tokens", "rejected_tokens"),
    "embedding": ("embedding_distance",),
}


def _resolve(parameters: Parameters, present: frozenset[str]) -> dict[str, Any]:
    terms = tuple(dict.fromkeys(parameters["distance"]))
    if terms == ("auto",):
        terms = ("edit_count", "logp_sum") if set(REF_COLUMNS) <= present else ("edit_count",)
    if "auto" in terms:
        raise SettingsError(
            "dcrm.distance is either auto or a list of terms.",
            setting="options",
            value=f"dcrm.distance={','.join(terms)}",
            hint="Leave out auto.",
        )
    for term in terms:
        if term not in TERM_COLUMNS:
            raise SettingsError(
                f"dcrm has no distance {term!r}.",
                setting="options",
                value=f"dcrm.distance={','.join(terms)}",
                hint=did_you_mean(term, [*TERM_COLUMNS, "auto"]),
            )
    if not terms:
        raise SettingsError(
            "dcrm needs a distance.",
            setting="options",
            value="dcrm.distance=",
            hint=did_you_mean("", [*TERM_COLUMNS, "auto"]),
        )
    return {**parameters, "distance": terms}


def _needs(parameters: Parameters) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for term in parameters["distance"] for column in TERM_COLUMNS[term]))


def distance_term(term: str, measured: Measured) -> pl.Series:
    """One term of the denominator, never negative: tokens, nats, 0..1, nats per token, 0..2 in the order of terms."""
    match term:
        case "edit_count":
            return measured["edit_distance"]
        case "logp_sum":
            return (measured["ref_chosen_logps"] - measured["ref_rejected_logps"]).abs()
        case "edit":
            return measured["edit_distance_norm"]
        case "logp":
            chosen = as_numbers(measured["ref_chosen_logps"] / measured["chosen_tokens"])
            return as_numbers(chosen - measured["ref_rejected_logps"] / measured["rejected_tokens"]).abs()
        case _:
            return measured["embedding_distance"]


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

    Negative when the reward disagrees with the label.

    `distance` is a sum of terms, by name: edit_count (tokens) and logp_sum (nats of the two responses under the
    reference), which grow with the responses; edit (0..1), logp (nats per token) and embedding (0..2), which do not.
    auto is the paper's form: edit_count, and logp_sum where the table has reference log-probabilities; a row without
    them then has no value.

    With counts and eps 1 the denominator runs over factors of a hundred: the distance rules wherever margins are alike,
    or sure enough to saturate sigma, and short responses and near-duplicates win. With normalised terms and eps 1 it
    hardly doubles: the margin rules. A smaller eps favours near-duplicates in any form. Rewards of a narrow range
    (ArmoRM, about 0..0.2) want a small scale.

    Formula: (sigma(reward_margin / scale) - 0.5) / (sum of distance terms + eps)

    Source: DCRM (arXiv 2506.14157, EMNLP Findings 2025); the default form as an independent implementation of the paper
    has it.
    """
    total = sum((distance_term(term, measured) for term in distance), start=pl.Series([eps]))
    return numerator(reward_margin, scale) / total
