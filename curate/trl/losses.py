"""Losses of margin-aware preference tuning, computed live on a batch: one function each, from pairs to losses.

Weights and target margins are constants within a step: no gradient flows through them. Batch statistics come from the
same functions that `curate weigh` uses, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that everyone knows it by
from pydantic import BaseModel, Field

from curate.errors import SettingsError, did_you_mean
from curate.registry import NonNegativeFloat, PositiveFloat, check_parameters, parameter_model
from curate.weighing.amapo import adaptive_margins
from curate.weighing.gamma_po import target_margins
from curate.weighing.madpo import madpo as madpo_weights

Tensor = torch.Tensor


@dataclass(frozen=True)
class PairLogps:
    """A batch of B pairs; every tensor is [B], float32.

    Attributes:
        chosen, rejected: log-probabilities of the responses under the policy, summed, in nats; gradients flow here.
        chosen_tokens, rejected_tokens: how many tokens these sums cover.
        ref_chosen, ref_rejected: the same under the reference, if the loss reads one.
        weight: factor of each pair's loss, from the data.
        target_margin: margin that each pair must win by, from the data.
        margin: reward margin of each pair, from the data, in reward units.
        over_all: (function of float64 values [N] -> [N], values [B]) -> [B]: applies it to the pairs of all processes.
    """

    chosen: Tensor
    rejected: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor
    ref_chosen: Tensor | None = None
    ref_rejected: Tensor | None = None
    weight: Tensor | None = None
    target_margin: Tensor | None = None
    margin: Tensor | None = None
    over_all: Callable[[Callable[[np.ndarray], np.ndarray], Tensor], Tensor] = lambda made, values: on_arrays(
        made, values
    )

    @property
    def chosen_ratio(self) -> Tensor:
        """Log-probability ratio of the chosen response, policy over reference, nats."""
        assert self.ref_chosen is not None
        return self.chosen - self.ref_chosen

    @property
    def rejected_ratio(self) -> Tensor:
        """Log-probability ratio of the rejected response, policy over reference, nats."""
        assert self.ref_rejected is not None
        return self.rejected - self.ref_rejected

    @property
    def gap(self) -> Tensor:
        """Average log-probability per token, chosen minus rejected, nats per token."""
        return self.chosen / self.chosen_tokens.clamp(min=1) - self.rejected / self.rejected_tokens.clamp(min=1)


def on_arrays(made: Callable[[np.ndarray], np.ndarray], values: Tensor) -> Tensor:
    """Apply a function of float64 arrays to a tensor, without gradient."""
    found = made(values.detach().double().cpu().numpy())
    return torch.as_tensor(found, dtype=values.dtype, device=values.device)


@dataclass(frozen=True)
class Loss:
    """One loss.

    Attributes:
        name: as `CuratedDPOTrainer(loss=...)` spells it.
        function: maps pairs to the loss of each pair, [B].
        model: pydantic model of its parameters.
        reference: maps parameters to whether it reads reference log-probabilities.
        columns: columns of the data that it must have.
        optional: columns of the data that it uses if present.
    """

    name: str
    function: Callable[..., Tensor]
    model: type[BaseModel]
    reference: Callable[[Mapping[str, Any]], bool]
    columns: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check the given parameters and fill in defaults.

        Raises:
            SettingsError: an unknown parameter, or a value out of range.
        """
        return check_parameters(self.name, self.model, given, "See curate.trl.losses for the loss's parameters.")


LOSSES: dict[str, Loss] = {}


def _loss(
    *, reference: bool | Callable[[Mapping[str, Any]], bool], columns: tuple[str, ...] = (), weighed: bool = False
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    reads = reference if callable(reference) else (lambda _: reference)
    optional = ("weight", "target_margin") if weighed else ()

    def declare(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        name = function.__name__
        LOSSES[name] = Loss(name, function, parameter_model(function), reads, columns, optional)
        return function

    return declare


def find_loss(name: str) -> Loss:
    """The loss of this name, spelled with hyphens or underscores.

    Raises:
        SettingsError: there is no such loss.
    """
    spelled = name.replace("-", "_")
    if spelled not in LOSSES:
        raise SettingsError(f"There is no loss {name}.", setting="loss", value=name, hint=did_you_mean(spelled, LOSSES))
    return LOSSES[spelled]


def _weighed(pairs: PairLogps, losses: Tensor) -> Tensor:
    return losses if pairs.weight is None else pairs.weight * losses


def _less(pairs: PairLogps, rewards: Tensor) -> Tensor:
    return rewards if pairs.target_margin is None else rewards - pairs.target_margin


@_loss(reference=True, weighed=True)
def dpo(pairs: PairLogps, *, beta: PositiveFloat = 0.1, form: Literal["sigmoid", "hinge"] = "sigmoid") -> Tensor:
    """DPO with the data's weights and target margins, if it has them.

    Formula: -weight * log sigma(beta * (ratio+ - ratio-) - target_margin); hinge: weight * relu(1 - (... ))

    Source: DPO (arXiv 2305.18290), eq. 7; hinge: SLiC (arXiv 2305.10425).
    """
    rewards = _less(pairs, beta * (pairs.chosen_ratio - pairs.rejected_ratio))
    return _weighed(pairs, torch.relu(1 - rewards) if form == "hinge" else -F.logsigmoid(rewards))


@_loss(reference=False, weighed=True)
def simpo(pairs: PairLogps, *, beta: PositiveFloat = 2.0, gamma: NonNegativeFloat = 0.0) -> Tensor:
    """SimPO, reference-free, with the data's weights and target margins, if it has them.

    Formula: -weight * log sigma(beta * (alp+ - alp-) - gamma - target_margin)

    Source: SimPO (arXiv 2405.14734), eq. 6.
    """
    return _weighed(pairs, -F.logsigmoid(_less(pairs, beta * pairs.gap - gamma)))


@_loss(reference=lambda parameters: parameters["form"] == "dpo")
def gamma_po(
    pairs: PairLogps,
    *,
    beta: PositiveFloat = 10.0,
    ratio: PositiveFloat = 0.4,
    tau: PositiveFloat = 10.0,
    form: Literal["simpo", "dpo"] = "simpo",
    steps: Annotated[int, Field(ge=1)] = 20,
) -> Tensor:
    """Gamma-PO with margins from the batch at hand.

    Formula: -log sigma(r - margin), r = beta * gap; margins as in `curate weigh --method gamma-po`, gamma0 = ratio *
    beta; the DPO form takes gamma0 off them

    Source: gamma-PO (arXiv 2506.03690), code.
    """
    rewards = beta * (pairs.gap if form == "simpo" else pairs.chosen_ratio - pairs.rejected_ratio)
    mean_margin = ratio * beta
    margins = pairs.over_all(lambda values: target_margins(values, mean_margin, tau, steps), rewards)
    return -F.logsigmoid(rewards - (margins if form == "simpo" else margins - mean_margin))


@_loss(reference=True, columns=("margin",))
def madpo(
    pairs: PairLogps,
    *,
    beta: PositiveFloat = 0.1,
    c_max: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0,
    c_min: Annotated[float, Field(gt=0, lt=1)] = 0.5,
    lambda_: PositiveFloat = 1.0,
    tau: NonNegativeFloat = 2.0,
) -> Tensor:
    """MADPO: DPO weighed by the data's reward margin.

    Formula: -weight * log sigma(beta * (ratio+ - ratio-)); weight as in `curate weigh --method madpo`

    Source: MADPO (arXiv 2510.05342, v1), code.
    """
    assert pairs.margin is not None
    given = {"c_max": c_max, "c_min": c_min, "lambda_": lambda_, "tau": tau}
    weights = on_arrays(lambda margins: madpo_weights.function(margins, **given)["madpo_weight"], pairs.margin)
    return -weights * F.logsigmoid(beta * (pairs.chosen_ratio - pairs.rejected_ratio))


@_loss(reference=False)
def amapo(pairs: PairLogps, *, beta: PositiveFloat = 2.0) -> Tensor:
    """AMaPO with margins from the batch at hand.

    Formula: -log sigma(beta * d - margin), d = alp+ - alp-; margin = beta * exp(((mean - d) / s) * mean) if d < mean
    else 0; s unbiased

    Source: AMaPO (arXiv 2511.09385), code.
    """
    margins = pairs.over_all(lambda gaps: adaptive_margins(gaps, beta), pairs.gap)
    return -F.logsigmoid(beta * pairs.gap - margins)


@_loss(reference=True)
def bpo(
    pairs: PairLogps,
    *,
    beta: PositiveFloat = 0.1,
    alpha: PositiveFloat = 0.3,
    form: Literal["hinge", "logistic"] = "hinge",
) -> Tensor:
    """BPO: the side of the pair that gained less decides.

    Formula: rho = beta * min(ratio+, -alpha * ratio-); relu(1 - rho), or -log sigma(rho)

    Source: BPO (arXiv 2506.03557), code.
    """
    rho = beta * torch.minimum(pairs.chosen_ratio, -alpha * pairs.rejected_ratio)
    return torch.relu(1 - rho) if form == "hinge" else -F.logsigmoid(rho)


@_loss(reference=False)
def repo(pairs: PairLogps, *, gamma: PositiveFloat = 0.4) -> Tensor:
    """RePO: a hinge on the gap per token, without reference and without beta.

    Formula: relu(gamma - (alp+ - alp-))

    Source: RePO (arXiv 2503.07426), code.
    """
    return torch.relu(gamma - pairs.gap)
