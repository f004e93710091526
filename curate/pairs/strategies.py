"""Strategies that pair by rewards or by who wrote the responses: baselines for best-of-N^2, and some papers' own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from curate.errors import SettingsError, did_you_mean
from curate.metrics.registry import missing_column
from curate.metrics.rm_votes import CHOSEN, FEWEST, named_sources
from curate.pairs.candidates import Candidates, Pairs, ordered_pairs
from curate.registry import Applies, NonNegativeFloat, check_parameters
from curate.schema import MODEL, REWARD, Record
from curate.settings import PairSettings


class NoParameters(BaseModel):
    """A strategy without parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    applies: ClassVar[Applies] = {}


class MaxMin(NoParameters):
    """Which of several responses of the same reward are taken."""

    ties: Literal["position", "length"] = "position"


class DeltaUcb(NoParameters):
    """How many standard deviations the bounds are from the mean."""

    b: NonNegativeFloat = 1.0


class CrossModel(NoParameters):
    """The two models, as the data names them."""

    stronger: str = ""
    weaker: str = ""


class RsDpo(NoParameters):
    """Parameters of rejection sampling."""

    eta: float = Field(default=0.85, gt=0, lt=1)
    temperature: float = Field(default=1.0, gt=0)


class SweetSpot(NoParameters):
    """How the rejected response is chosen: the lowest of `draws` random ones, or the one nearest to mean - 2 std."""

    applies: ClassVar[Applies] = {"draws": {"form": "lowest_of_draws"}}

    form: Literal["lowest_of_draws", "mean_minus_2std"] = "lowest_of_draws"
    draws: int = Field(default=5, ge=1)


def max_min(pool: Candidates, pairs: Pairs, parameters: MaxMin) -> Pairs:
    """The highest reward against the lowest; ties go to the lower position.

    With `ties=length`, the shortest of the best is chosen, and of the worst the one nearest to it in length rejected.

    Source: SimPO's data generation (arXiv 2405.14734); for the ties WPO (arXiv 2406.11827), code.
    """
    if parameters.ties == "position":
        return _by_rewards(pool, pairs, rejected_first=_rewards(pool))
    rewards, (chosen, rejected) = _rewards(pool), pairs
    assert pool.lengths is not None, "the pairing counts tokens for every strategy"
    gaps = np.abs(pool.lengths[chosen] - pool.lengths[rejected])
    order = np.lexsort((rejected, gaps, rewards[rejected], chosen, pool.lengths[chosen], -rewards[chosen]))
    return chosen[order], rejected[order]


def delta_ucb(pool: Candidates, pairs: Pairs, parameters: DeltaUcb) -> Pairs:
    """The pair that could be furthest apart: the upper bound of its chosen less the lower bound of its rejected.

    A response's bounds are b standard deviations (ddof 0) from the mean of its named rewards. Responses that lack one
    of them are in no pair; ties go to lower positions.

    Formula: (mean_i + b sd_i) - (mean_j - b sd_j)

    Source: ActiveUltraFeedback (arXiv 2603.09692), DeltaUCB; there the deviations are those of an ensemble.
    """
    assert pool.sources is not None, "the plan requires named rewards for this strategy"
    mean, sd = pool.sources.mean(axis=0), pool.sources.std(axis=0)
    chosen, rejected = pairs
    gap = (mean[chosen] + parameters.b * sd[chosen]) - (mean[rejected] - parameters.b * sd[rejected])
    known = np.isfinite(gap)
    chosen, rejected, gap = chosen[known], rejected[known], gap[known]
    order = np.lexsort((rejected, chosen, -gap))
    return chosen[order], rejected[order]


def cross_model(pool: Candidates, pairs: Pairs, parameters: CrossModel) -> Pairs:
    """A response of the stronger model against one of the weaker, without any reward; lower positions first.

    Source: Delta learning (arXiv 2507.06187), as in the pairs of OLMo 3.
    """
    wrote = np.array(pool.models, object)
    chosen, rejected = pairs
    if not wrote.size:
        return chosen[:0], rejected[:0]
    inside = (wrote[chosen] == parameters.stronger) & (wrote[rejected] == parameters.weaker)
    return chosen[inside], rejected[inside]


def max_random(pool: Candidates, pairs: Pairs, _: NoParameters) -> Pairs:
    """The highest reward against a random lower one."""
    return _by_rewards(pool, pairs, rejected_first=_draws(pool))


def rs_dpo(pool: Candidates, pairs: Pairs, parameters: RsDpo) -> Pairs:
    """Every pair whose rewards differ enough: sigma((r_i - r_j) / temperature) > eta; largest margins first.

    Source: RS-DPO (arXiv 2402.10038).
    """
    rewards = _rewards(pool)
    margin = rewards[pairs[0]] - rewards[pairs[1]]
    accepted = 0.5 + 0.5 * np.tanh(margin / (2 * parameters.temperature)) > parameters.eta
    chosen, rejected, margin = pairs[0][accepted], pairs[1][accepted], margin[accepted]
    order = np.lexsort((rejected, chosen, -margin))
    return chosen[order], rejected[order]


def sweet_spot(pool: Candidates, pairs: Pairs, parameters: SweetSpot) -> Pairs:
    """The highest reward against a low one: the lowest of a few random draws, or the one nearest to mean - 2 std.

    Source: arXiv 2502.16825.
    """
    rewards = _rewards(pool)
    if parameters.form == "mean_minus_2std":
        known = rewards[np.isfinite(rewards)]
        target = known.mean() - 2 * known.std() if known.size else 0.0
        return _by_rewards(pool, pairs, rejected_first=np.abs(rewards - target))
    lowest_first = rewards.copy()
    drawn = np.argsort(_draws(pool), kind="stable")[: parameters.draws]
    lowest_first[np.setdiff1d(np.arange(pool.size), drawn)] = np.inf
    chosen, rejected = _by_rewards(pool, pairs, rejected_first=lowest_first)
    inside = np.isfinite(lowest_first[rejected])
    return chosen[inside], rejected[inside]


def _rewards(pool: Candidates) -> np.ndarray:
    assert pool.rewards is not None, "the plan requires rewards for these strategies"
    return pool.rewards


def _draws(pool: Candidates) -> np.ndarray:
    assert pool.draws is not None, "the pairing draws for every strategy"
    return pool.draws


def _by_rewards(pool: Candidates, pairs: Pairs, rejected_first: np.ndarray) -> Pairs:
    """The pairs in order of the best chosen response, then in the given order of the rejected one."""
    chosen, rejected = pairs
    order = np.lexsort((rejected, rejected_first[rejected], chosen, -_rewards(pool)[chosen]))
    return chosen[order], rejected[order]


CROSS_MODEL = "cross-model"
Strategy = Callable[[Candidates, Pairs, Any], Pairs]
STRATEGIES: Mapping[str, tuple[Strategy, type[NoParameters]]] = {
    "max-min": (max_min, MaxMin),
    "max-random": (max_random, NoParameters),
    "rs-dpo": (rs_dpo, RsDpo),
    "sweet-spot": (sweet_spot, SweetSpot),
    "delta-ucb": (delta_ucb, DeltaUcb),
    CROSS_MODEL: (cross_model, CrossModel),
}
BEST_OF_N2 = "best-of-n2"
OPTION_NAMES = frozenset(name.replace("-", "_") for name in STRATEGIES)


def strategy_parameters(settings: PairSettings) -> NoParameters | None:
    """The strategy's parameters; None for best-of-n2.

    Raises:
        SettingsError: options of another strategy, an unknown parameter, a value out of range, or ranking options for a
            strategy that ranks by itself.
    """
    spelled = settings.strategy.replace("-", "_")
    for name in settings.options:
        if name in OPTION_NAMES and name != spelled:
            raise SettingsError(
                f"{name} is not the strategy of this run.",
                setting="options",
                value=f"{name}.*",
                hint=f"Leave it out, or use --strategy={name.replace('_', '-')}.",
            )
    if settings.strategy == BEST_OF_N2:
        return None
    for option in ("by", "order"):
        if getattr(settings, option) is not None:
            raise SettingsError(
                f"The strategy {settings.strategy} does not rank by a metric.",
                setting=option,
                value=getattr(settings, option),
                hint="Leave out one of the two.",
            )
    model, hint = STRATEGIES[settings.strategy][1], "See recipes/README.md on pairing strategies."
    parameters = model(**check_parameters(spelled, model, settings.options.get(spelled, {}), hint, model.applies))
    if isinstance(parameters, CrossModel):
        _check_models(parameters, settings)
    return parameters


def _check_models(parameters: CrossModel, settings: PairSettings) -> None:
    if settings.min_margin is not None:
        raise SettingsError(
            "The strategy cross-model reads no rewards.",
            setting="min_margin",
            value=settings.min_margin,
            hint="Leave out one of the two.",
        )
    for name, value, other in (
        ("stronger", parameters.stronger, ""),
        ("weaker", parameters.weaker, parameters.stronger),
    ):
        if value in ("", other):
            raise SettingsError(
                f"cross-model needs the name of the {name} model." if not value else "Both models have the same name.",
                setting="options",
                value=f"cross_model.{name}={value}",
                hint="Give both as the data names them: --set cross_model.stronger=A --set cross_model.weaker=B.",
            )


def check_writers(parameters: Any, sample: Sequence[Record]) -> None:
    """Refuse cross-model if none of the first rows has a response by one of its models.

    Raises:
        SettingsError: no response is by a model of this name.
    """
    if not isinstance(parameters, CrossModel):
        return
    named = sorted({name for record in sample for name in record.measured.get(MODEL, ()) if name is not None})
    for side in ("stronger", "weaker"):
        if (wanted := getattr(parameters, side)) not in named:
            raise SettingsError(
                f"No response of the first rows is by the model {wanted}.",
                setting="options",
                value=f"cross_model.{side}={wanted}",
                hint=did_you_mean(wanted, named) if named else "Add a list column models: who wrote each response.",
            )


def check_columns(strategy: str, columns: Collection[str], *, min_margin: bool) -> None:
    """Refuse a strategy that needs measurements which the pairs will not have.

    Raises:
        SettingsError: names the missing column and how to measure it.
    """
    ranks = strategy in STRATEGIES and strategy != CROSS_MODEL
    if (ranks or min_margin) and REWARD.chosen not in columns:
        raise missing_column(strategy if ranks else "--min-margin", REWARD.chosen, sorted(columns))
    if strategy == "delta-ucb" and len(named_sources(columns)) < FEWEST:
        raise missing_column(strategy, f"{CHOSEN}NAME", sorted(columns))


def apply(
    name: str, pool: Candidates, parameters: NoParameters, min_margin: float | None, per_prompt: int | None
) -> Pairs:
    """The pairs that a strategy builds from one prompt's responses: the first `per_prompt` in its order of preference.

    By default rs-dpo builds every pair that it accepts, the other strategies one.
    """
    ordered = replace(pool, rewards=None) if name == CROSS_MODEL else pool
    chosen, rejected = STRATEGIES[name][0](pool, ordered_pairs(ordered, min_margin), parameters)
    most = per_prompt or (None if name == "rs-dpo" else 1)
    return chosen[:most], rejected[:most]


def measuring(settings: PairSettings) -> PairSettings:
    """The same settings with only the parameters of metrics."""
    metric_options = {name: given for name, given in settings.options.items() if name not in OPTION_NAMES}
    return settings.model_copy(update={"options": metric_options})
