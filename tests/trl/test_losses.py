"""Every live loss against an independent reading of its formula, row by row, and its gradients."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from curate.errors import SettingsError
from curate.trl.losses import LOSSES, PairLogps, find_loss
from tests.weighing.plain import plain_amapo, plain_gamma_po, plain_madpo, sigma

ROWS = 12


def batch(seed: int = 0, rows: int = ROWS, **extra: Any) -> PairLogps:
    rng = np.random.default_rng(seed)
    logps = torch.tensor(rng.uniform(-80, -5, (4, rows)), dtype=torch.float32)
    tokens = torch.tensor(rng.integers(3, 60, (2, rows)))
    return PairLogps(
        logps[0].clone().requires_grad_(),
        logps[1].clone().requires_grad_(),
        tokens[0],
        tokens[1],
        logps[2],
        logps[3],
        **{"margin": torch.tensor(rng.normal(0, 3, rows), dtype=torch.float32), **extra},
    )


def arrays(pairs: PairLogps) -> dict[str, np.ndarray]:
    names = ("chosen", "rejected", "chosen_tokens", "rejected_tokens", "ref_chosen", "ref_rejected", "margin")
    found = {name: getattr(pairs, name).detach().double().numpy() for name in names}
    found["up"] = found["chosen"] - found["ref_chosen"]
    found["down"] = found["rejected"] - found["ref_rejected"]
    found["gap"] = found["chosen"] / found["chosen_tokens"] - found["rejected"] / found["rejected_tokens"]
    return found


def log_sigma(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))


def expected(name: str, a: dict[str, np.ndarray], options: dict[str, Any]) -> list[float]:
    rows = range(a["gap"].size)
    if name == "dpo":
        beta = options.get("beta", 0.1)
        scores = [beta * (a["up"][i] - a["down"][i]) for i in rows]
        return [max(0.0, 1 - s) if options.get("form") == "hinge" else -log_sigma(s) for s in scores]
    if name == "simpo":
        return [-log_sigma(options.get("beta", 2.0) * a["gap"][i] - options.get("gamma", 0.0)) for i in rows]
    if name == "gamma_po" and options.get("form") == "dpo":
        beta, ratio = options["beta"], 0.4
        gaps = [a["up"][i] - a["down"][i] for i in rows]
        margins = plain_gamma_po(gaps, beta=beta, ratio=ratio)
        return [-log_sigma(beta * gaps[i] - (margins[i] - ratio * beta)) for i in rows]
    if name == "gamma_po":
        margins = plain_gamma_po(list(a["gap"]))
        return [-log_sigma(10 * a["gap"][i] - margins[i]) for i in rows]
    if name == "madpo":
        return [-plain_madpo(a["margin"][i]) * log_sigma(0.1 * (a["up"][i] - a["down"][i])) for i in rows]
    if name == "amapo":
        margins = plain_amapo(list(a["gap"]))
        return [-log_sigma(2.0 * a["gap"][i] - margins[i]) for i in rows]
    if name == "bpo":
        rho = [0.1 * min(a["up"][i], -0.3 * a["down"][i]) for i in rows]
        return [max(0.0, 1 - r) if options.get("form") != "logistic" else -log_sigma(r) for r in rho]
    return [max(0.0, options.get("gamma", 0.4) - a["gap"][i]) for i in rows]


CASES: list[tuple[str, dict[str, Any]]] = [
    ("dpo", {}),
    ("dpo", {"beta": 0.5, "form": "hinge"}),
    ("simpo", {}),
    ("simpo", {"beta": 10.0, "gamma": 1.5}),
    ("gamma_po", {}),
    ("gamma_po", {"form": "dpo", "beta": 0.1}),
    ("madpo", {}),
    ("amapo", {}),
    ("bpo", {}),
    ("bpo", {"form": "logistic"}),
    ("repo", {}),
    ("repo", {"gamma": 0.6}),
]


def test_every_loss_has_a_case() -> None:
    assert {name for name, _ in CASES} == set(LOSSES)


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_losses_agree_with_a_plain_reading(name: str, options: dict[str, Any], seed: int) -> None:
    pairs = batch(seed)
    loss = find_loss(name)
    found = loss.function(pairs, **loss.parameters(options))
    assert found.shape == (ROWS,)
    wanted = np.array(expected(name, arrays(pairs), options))
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_gradients_are_finite_and_there(name: str, options: dict[str, Any]) -> None:
    pairs = batch(3)
    loss = find_loss(name)
    loss.function(pairs, **loss.parameters(options)).mean().backward()
    gradients = torch.cat([pairs.chosen.grad, pairs.rejected.grad])
    assert torch.isfinite(gradients).all()
    assert gradients.abs().max() > 0


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("far", [1e-3, 1.0, 1e4])
def test_gradients_stay_finite_for_extreme_and_equal_pairs(name: str, options: dict[str, Any], far: float) -> None:
    spread = torch.tensor([-far, 0.0, 0.0, far])
    chosen = (-100 + spread).requires_grad_()
    rejected = torch.full((4,), -100.0, requires_grad=True)
    tokens = torch.full((4,), 10)
    pairs = PairLogps(
        chosen, rejected, tokens, tokens, torch.full((4,), -100.0), torch.full((4,), -100.0), margin=spread
    )
    loss = find_loss(name)
    total = loss.function(pairs, **loss.parameters(options)).mean()
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(chosen.grad).all() and torch.isfinite(rejected.grad).all()


def test_weights_multiply_and_target_margins_shift() -> None:
    weight, target = torch.linspace(0, 2, ROWS), torch.linspace(-1, 1, ROWS)
    plain, weighed = batch(1), batch(1, weight=weight, target_margin=target)
    a = arrays(plain)
    for name, scores in (("dpo", 0.1 * (a["up"] - a["down"])), ("simpo", 2.0 * a["gap"])):
        loss = find_loss(name)
        found = loss.function(weighed, **loss.parameters({})).detach().numpy()
        wanted = [
            -w * log_sigma(s - m) for w, s, m in zip(weight.tolist(), scores.tolist(), target.tolist(), strict=True)
        ]
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)


def test_worked_example_of_bpo() -> None:
    # ratio+ = -4 - -5 = 1, ratio- = -9 - -7 = -2: rho = 0.1 * min(1, 0.3 * 2) = 0.06, so the loss is 0.94.
    one = {
        name: torch.tensor([value])
        for name, value in {"chosen": -4.0, "rejected": -9.0, "ref_chosen": -5.0, "ref_rejected": -7.0}.items()
    }
    pairs = PairLogps(chosen_tokens=torch.tensor([3]), rejected_tokens=torch.tensor([4]), **one)
    assert find_loss("bpo").function(pairs, beta=0.1, alpha=0.3).item() == pytest.approx(0.94, abs=1e-6)


def test_statistics_are_over_all_processes() -> None:
    """Half a batch, told of the other half, gives the very losses of the whole batch."""
    whole = batch(5)
    loss = find_loss("amapo")
    wanted = loss.function(whole, beta=2.0)[: ROWS // 2]

    def over_all(made: Any, values: torch.Tensor) -> torch.Tensor:
        everyone = whole.gap.detach().double().numpy()
        return torch.tensor(made(everyone)[: values.numel()], dtype=values.dtype)

    half = PairLogps(
        *(getattr(whole, n)[: ROWS // 2] for n in ("chosen", "rejected", "chosen_tokens", "rejected_tokens")),
        over_all=over_all,
    )
    torch.testing.assert_close(loss.function(half, beta=2.0), wanted)


def test_unknown_losses_and_parameters_are_refused() -> None:
    with pytest.raises(SettingsError, match="no loss amap"):
        find_loss("amap")
    with pytest.raises(SettingsError, match="repo has no parameter beta"):
        find_loss("repo").parameters({"beta": 1.0})
    with pytest.raises(SettingsError, match=r"madpo\.lambda"):
        find_loss("madpo").parameters({"lambda": -1})


def test_madpo_far_below_returns_to_plain_dpo() -> None:
    pairs = batch(2, margin=torch.full((ROWS,), -5.0))
    assert sigma(0) == 0.5
    found = find_loss("madpo").function(pairs, **find_loss("madpo").parameters({}))
    torch.testing.assert_close(found, find_loss("dpo").function(pairs, beta=0.1))
