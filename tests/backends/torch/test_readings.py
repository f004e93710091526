"""What the pass over a response tells besides log-probabilities, against a plain forward pass of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from curate.backends import ModelSpec, Reading
from curate.backends.torch.head import Head
from curate.backends.torch.scoring import TorchLogprobs
from curate.errors import ModelError
from curate.render import Rendered
from tests.backends.models import open_alone, random_rows

BOTH = frozenset({"wpo", "ches"})
LENGTHS = [2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 4, 40, 41, 42]


@pytest.fixture(scope="module")
def policy(demo_models: Path) -> TorchLogprobs:
    return TorchLogprobs(ModelSpec.of(str(demo_models / "policy"), device="cpu"))


@pytest.fixture(scope="module")
def rows() -> list[Rendered]:
    return random_rows(LENGTHS, vocabulary=1024)


def read_alone(model: Any, row: Rendered) -> tuple[float, np.ndarray]:
    """Mean log collision and summed hidden states: a batch of one, the rest in NumPy's float64."""
    with torch.no_grad():
        found = model(torch.tensor([row.ids]), output_hidden_states=True)
    place = slice(row.start - 1, len(row.ids) - 1)
    logits = found.logits[0, place].double().numpy()
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    return float(np.log((shares**2).sum(1)).mean()), found.hidden_states[-1][0, place].double().numpy().sum(0)


def test_both_are_those_of_a_batch_of_one(policy: TorchLogprobs, rows: list[Rendered], demo_models: Path) -> None:
    model = open_alone(str(demo_models / "policy"))
    for row, found in zip(rows, policy.readings(rows, BOTH), strict=True):
        collision, hidden = read_alone(model, row)
        assert found.collision == pytest.approx(collision, abs=1e-4)
        np.testing.assert_allclose(found.hidden, hidden, atol=1e-4 * row.response_tokens)


def test_padded_rows_tell_the_same(policy: TorchLogprobs, rows: list[Rendered], demo_models: Path) -> None:
    padded = TorchLogprobs(ModelSpec.of(str(demo_models / "policy"), device="cpu"))
    padded.loaded.model.set_attn_implementation("sdpa")
    padded.packs = False
    for one, other in zip(padded.readings(rows, BOTH), policy.readings(rows, BOTH), strict=True):
        assert one.collision == pytest.approx(other.collision, abs=1e-4)
        np.testing.assert_allclose(one.hidden, other.hidden, atol=1e-2)


def test_log_probabilities_are_the_same_numbers_and_only_what_is_asked_for_is_read(
    policy: TorchLogprobs, rows: list[Rendered]
) -> None:
    logps = policy.logps(rows)
    for also in (frozenset({"wpo"}), frozenset({"ches"}), BOTH):
        found = policy.readings(rows, also)
        assert [one.logps for one in found] == logps
        assert all((one.collision is not None) == ("wpo" in also) for one in found)
        assert all((one.hidden is not None) == ("ches" in also) for one in found)


@pytest.mark.parametrize("spread", [1.0, 30.0, 200.0])
def test_collisions_of_unlikely_targets_do_not_overflow(spread: float) -> None:
    """Beyond exp(44) the squares overflow float32, beyond exp(88) the sums: those rows are computed again."""
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(5000, 8)).astype(np.float32)
    states = (spread * rng.normal(size=(200, 8)) / 8).astype(np.float32)
    targets = rng.integers(0, 5000, 200)
    head = Head(torch.from_numpy(weight), None, None)
    logps, collisions = head.with_collisions(torch.from_numpy(states), torch.from_numpy(targets))
    logits = states.astype(float) @ weight.T.astype(float)
    log_shares = logits - logits.max(1, keepdims=True)
    log_shares -= np.log(np.exp(log_shares).sum(1, keepdims=True))
    np.testing.assert_allclose(collisions.numpy(), np.log(np.exp(2 * log_shares).sum(1)), atol=2e-3)
    np.testing.assert_allclose(logps.numpy(), log_shares[np.arange(200), targets], rtol=1e-4, atol=2e-3)
    lost = (log_shares[np.arange(200), targets] < -45).any()
    assert lost == (spread > 10)


def test_a_model_that_changes_its_logits_after_the_head_is_refused(
    policy: TorchLogprobs, rows: list[Rendered], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "_whole_logits", True)
    with pytest.raises(ModelError, match="ches and wpo cannot be read") as error:
        policy.readings(rows, BOTH)
    assert error.value.hint == "Leave out --also."


def test_a_reading_says_nothing_that_was_not_read() -> None:
    assert Reading(-1.0) == Reading(-1.0, None, None)
