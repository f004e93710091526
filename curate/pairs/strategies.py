"""Common strategies that pair by reward alone, as baselines for best-of-N^2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from curate.errors import SettingsError
from curate.pairs.candidates import Candidates, Pairs, ordered_pairs
from curate.registry import Applies, check_parameters
from curate.settings import PairSettings


class NoParameters(BaseModel):
    """A strategy without parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    applies: ClassVar[Applies] = {}


class RsDpo(NoParameters):
    """Parameters of rejection sampling."""

    eta: float = Field(default=0.85, gt=0, lt=1)
    temperature: float = Field(default=1.0, gt=0)


class SweetSpot(NoParameters):
    """How the rejected response is chosen: the lowest of `draws` random ones, or the one nearest to mean - 2 std."""

    applies: ClassVar[Applies] = {"draws": {"form": "lowest_of_draws"}}

    form: Literal["lowest_of_draws", "mean_minus_2std"] = "lowest_of_draws"
    draws: int = Field(default=5, ge=1)


def max_min(pool: Candidates, pairs: Pairs, _: NoParameters) -> Pairs:
    """The highest reward against the lowest; ties go to the lower position.

    Source: SimPO's data generation (arXiv 2405.14734).
    """
    return _by_rewards(pool, pairs, rejected_first=_rewards(pool))


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


Strategy = Callable[[Candidates, Pairs, Any], Pairs]
STRATEGIES: Mapping[str, tuple[Strategy, type[NoParameters]]] = {
    "max-min": (max_min, NoParameters),
    "max-random": (max_random, NoParameters),
    "rs-dpo": (rs_dpo, RsDpo),
    "sweet-spot": (sweet_spot, SweetSpot),
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
                f"The strategy {settings.strategy} pairs by reward alone.",
                setting=option,
                value=getattr(settings, option),
                hint="Leave out one of the two.",
            )
    model, hint = STRATEGIES[settings.strategy][1], "See recipes/README.md on pairing strategies."
    return model(**check_parameters(spelled, model, settings.options.get(spelled, {}), hint, model.applies))


def apply(
    name: str, pool: Candidates, parameters: NoParameters, min_margin: float | None, per_prompt: int | None
) -> Pairs:
    """The pairs that a strategy builds from one prompt's responses: the first `per_prompt` in its order of preference.

    By default rs-dpo builds every pair that it accepts, the other strategies one.
    """
    chosen, rejected = STRATEGIES[name][0](pool, ordered_pairs(pool, min_margin), parameters)
    most = per_prompt or (None if name == "rs-dpo" else 1)
    return chosen[:most], rejected[:most]


def measuring(settings: PairSettings) -> PairSettings:
    """The same settings with only the parameters of metrics."""
    metric_options = {name: given for name, given in settings.options.items() if name not in OPTION_NAMES}
    return settings.model_copy(update={"options": metric_options})
