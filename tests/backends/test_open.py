from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
import transformers

from curate.backends import ModelSpec
from curate.backends.open import backend_facts, check_backend, check_model, open_logprobs, resolved
from curate.backends.torch.scoring import TorchLogprobs
from curate.errors import MissingExtra, ModelError, SettingsError
from tests.backends.models import SHAPE, save_causal


def test_auto_is_torch() -> None:
    spec = resolved(ModelSpec.of("somewhere/model", device="cpu"))
    assert (spec.backend, spec.dtype) == ("torch", "float32")
    assert backend_facts(spec) == {"backend": "torch"}


def test_vllm_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="vllm"):
        check_backend("vllm")
    check_backend("auto")


def test_vllm_is_used_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    check_backend("vllm", 2)
    assert resolved(ModelSpec.of("somewhere/model", device="cpu", backend="vllm")).backend == "vllm"


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_only_vllm_shares_a_model_between_gpus(backend: str) -> None:
    with pytest.raises(SettingsError, match="Only vLLM") as caught:
        check_backend(backend, 2)
    assert caught.value.where == "--tensor-parallel 2"


def test_vllm_takes_the_first_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    spec = ModelSpec.of("somewhere/model", backend="vllm", tensor_parallel=2)
    assert resolved(spec).dtype == "bfloat16"
    with pytest.raises(SettingsError, match="fewer than 3"):
        resolved(ModelSpec.of("somewhere/model", backend="vllm", tensor_parallel=3))
    with pytest.raises(SettingsError, match="first GPUs") as caught:
        resolved(ModelSpec.of("somewhere/model", device="cuda:1", backend="vllm"))
    assert "CUDA_VISIBLE_DEVICES=1" in caught.value.hint


def test_a_fake_model_is_left_alone() -> None:
    spec = ModelSpec.of("fake:1", backend="vllm")
    assert resolved(spec) == check_model(spec, "reward") == spec
    assert backend_facts(spec) == {}


def test_a_causal_model_has_no_head(tmp_path: Path) -> None:
    path = save_causal(transformers.LlamaConfig(**SHAPE), tmp_path)
    assert check_model(ModelSpec.of(path, backend="vllm", max_length=64), "causal").reward_head is None


@pytest.mark.parametrize("where", ["loading", "checking"])
def test_a_model_that_does_not_fit_is_an_error_to_mend(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 224.00 MiB.")

    folder = save_causal(transformers.LlamaConfig(**SHAPE), tmp_path)
    if where == "loading":
        monkeypatch.setattr(transformers.PreTrainedModel, "to", full)
    else:
        monkeypatch.setattr(TorchLogprobs, "_from_logits", full)
    with pytest.raises(ModelError, match="does not fit") as caught:
        open_logprobs(ModelSpec.of(folder, device="cpu"))
    assert len(str(caught.value).splitlines()) == 3
    assert folder in caught.value.where
