from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curate.backends import ModelSpec
from curate.backends.torch.scoring import TorchLogprobs
from curate.backends.vllm import models as vllm_models
from curate.backends.vllm.models import VllmLogprobs
from curate.errors import ModelError
from curate.render import Rendered
from tests.backends.models import random_rows, worst
from tests.vllm.models import CLOSE, causal, opened, spec


@pytest.fixture(scope="module")
def policy(demo_models: Path) -> VllmLogprobs:
    return opened(VllmLogprobs, spec(demo_models / "policy", max_length=4096))


@pytest.fixture(scope="module")
def expected(demo_models: Path, demo_rows: list[Rendered]) -> list[float]:
    return TorchLogprobs(ModelSpec.of(str(demo_models / "policy"), device="cpu")).logps(demo_rows)


def test_every_pair_of_the_demo_agrees_with_torch(
    policy: VllmLogprobs, demo_rows: list[Rendered], expected: list[float]
) -> None:
    assert max(len(row.ids) for row in demo_rows) > 1000
    assert min(row.response_tokens for row in demo_rows) <= 2
    assert worst(policy.logps(demo_rows), expected, demo_rows) < CLOSE
    assert policy.notes == []
    assert not policy.padding_free


def test_neighbours_and_order_do_not_matter(
    policy: VllmLogprobs, demo_rows: list[Rendered], expected: list[float]
) -> None:
    assert worst(policy.logps(demo_rows[::-1])[::-1], expected, demo_rows) < CLOSE
    alone = [policy.logps([row])[0] for row in demo_rows[-5:]]
    assert worst(alone, expected[-5:], demo_rows[-5:]) < CLOSE


def test_the_border_decides_what_is_summed(policy: VllmLogprobs, demo_models: Path, demo_rows: list[Rendered]) -> None:
    ids = demo_rows[0].ids
    moved = [Rendered(ids, start, "exact") for start in (1, 2, len(ids) // 2, len(ids) - 1)]
    torch = TorchLogprobs(ModelSpec.of(str(demo_models / "policy"), device="cpu"))
    assert worst(policy.logps(moved), torch.logps(moved), moved) < CLOSE


def test_equal_calls_give_equal_bytes(policy: VllmLogprobs, demo_rows: list[Rendered]) -> None:
    assert policy.logps(demo_rows) == policy.logps(demo_rows)


def test_facts_tell_the_engine(policy: VllmLogprobs) -> None:
    facts = policy.facts()
    assert facts["backend"] == "vllm"
    assert facts["device"] == "cpu"
    assert facts["dtype"] == "float32"
    assert facts["vllm"][0].isdigit()


def test_a_token_of_another_vocabulary_is_refused(policy: VllmLogprobs) -> None:
    with pytest.raises(ModelError, match="token id 1024, but the model has 1024"):
        policy.logps([Rendered([5, 1024, 7], 1, "exact")])


def test_too_few_log_probabilities_are_refused(policy: VllmLogprobs, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Rendered([5, 6, 7], 1, "exact")
    short: Any = SimpleNamespace(prompt_logprobs=SimpleNamespace(logprobs=[-1.0], token_ids=[7]))
    monkeypatch.setattr(policy.llm, "generate", lambda *_, **__: [short])
    with pytest.raises(ModelError, match="1 log-probabilities came back for 3 tokens"):
        policy.logps([row])


def test_nan_is_refused(policy: VllmLogprobs, monkeypatch: pytest.MonkeyPatch) -> None:
    nan: Any = SimpleNamespace(prompt_logprobs=SimpleNamespace(logprobs=[-1.0, float("nan")], token_ids=[6, 7]))
    monkeypatch.setattr(policy.llm, "generate", lambda *_, **__: [nan])
    with pytest.raises(ModelError, match="not a finite number"):
        policy.logps([Rendered([5, 6, 7], 1, "exact")])


def test_rows_read_in_pieces_and_rows_as_long_as_the_model_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of 256 tokens cuts the rows; 256 tokens is also this model's limit."""
    monkeypatch.setattr(vllm_models, "LOGITS_AT_ONCE", 1)
    path = causal(tmp_path)
    rows = random_rows([2, 3, 50, 21, 80, 256, 7, 33, 255, 200, 256], 1024)
    torch = TorchLogprobs(ModelSpec.of(path, device="cpu")).logps(rows)
    backend = opened(VllmLogprobs, spec(path))
    assert backend.llm.llm_engine.vllm_config.scheduler_config.max_num_batched_tokens == 256
    assert worst(backend.logps(rows), torch, rows) < CLOSE


def test_a_low_max_length_leaves_room_for_the_self_check(tmp_path: Path) -> None:
    path = causal(tmp_path)
    rows = random_rows([4, 3], 1024)
    backend = opened(VllmLogprobs, replace(spec(path), max_length=4))
    assert worst(backend.logps(rows), TorchLogprobs(ModelSpec.of(path, device="cpu")).logps(rows), rows) < CLOSE


def test_bfloat16_is_near_and_its_head_is_in_float32(tmp_path: Path) -> None:
    path = causal(tmp_path)
    rows = random_rows([50, 21, 80, 7, 33, 255], 1024)
    torch = TorchLogprobs(ModelSpec.of(path, device="cpu")).logps(rows)
    backend = opened(VllmLogprobs, replace(spec(path), dtype="bfloat16"))
    assert 0 < worst(backend.logps(rows), torch, rows) < 0.5
    assert str(backend.config.head_dtype) == "torch.float32"
