from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch
import transformers

from curate.backends import ModelSpec
from curate.backends.open import check_backend, model_limit, open_logprobs, open_rewards
from curate.backends.torch.loading import choose_device, choose_dtype, cuda_devices, load
from curate.errors import CurateError, ModelError, SettingsError
from tests.backends.models import SHAPE, save_causal, save_reward


def refused(path: Path | str, kind: Literal["causal", "reward"]) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load(ModelSpec.of(str(path), device="cpu"), kind)
    assert len(str(caught.value).splitlines()) == 3
    assert str(path) in caught.value.where
    return caught.value


@pytest.fixture
def config() -> transformers.LlamaConfig:
    return transformers.LlamaConfig(**SHAPE)


def test_a_head_that_would_be_random_is_refused(config: transformers.LlamaConfig, tmp_path: Path) -> None:
    save_causal(config, tmp_path)
    config.num_labels = 1
    config.save_pretrained(tmp_path)
    error = refused(tmp_path, "reward")
    assert "score.weight" in error.what
    assert "random" in error.what


def test_a_base_model_as_reward_is_refused(config: transformers.LlamaConfig, tmp_path: Path) -> None:
    error = refused(save_causal(config, tmp_path), "reward")
    assert "score.weight" in error.what


def test_a_reward_model_as_policy_is_refused(config: transformers.LlamaConfig, tmp_path: Path) -> None:
    error = refused(save_reward(config, tmp_path), "causal")
    assert "lm_head.weight" in error.what


def test_two_outputs_are_refused(config: transformers.LlamaConfig, tmp_path: Path) -> None:
    assert "2 outputs" in refused(save_reward(config, tmp_path, outputs=2), "reward").what


@pytest.mark.parametrize("kind", ["causal", "reward"])
def test_a_missing_path_is_refused(kind: Literal["causal", "reward"], tmp_path: Path) -> None:
    assert "no model at this path" in refused(tmp_path / "none", kind).what


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "cannot be loaded" in refused(tmp_path, "causal").what


def test_a_pickled_checkpoint_is_refused_and_never_unpickled(
    config: transformers.LlamaConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = transformers.AutoModelForCausalLM.from_config(config)
    config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    opened: list[object] = []
    monkeypatch.setattr(torch, "load", lambda *a, **k: opened.append(a))
    error = refused(tmp_path, "causal")
    assert "safetensors" in error.hint
    assert opened == []


def test_a_checkpoint_cut_short_is_refused(config: transformers.LlamaConfig, tmp_path: Path) -> None:
    path = Path(save_causal(config, tmp_path)) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "cannot be loaded" in refused(tmp_path, "causal").what


def test_weights_of_another_shape_are_refused(config: transformers.LlamaConfig, tmp_path: Path) -> None:
    save_causal(config, tmp_path)
    config.intermediate_size = 40
    config.save_pretrained(tmp_path)
    refused(tmp_path, "causal")


def test_what_is_loaded_is_for_reading(config: transformers.LlamaConfig, tmp_path: Path) -> None:
    loaded = load(ModelSpec.of(save_causal(config, tmp_path), device="cpu"), "causal")
    assert not loaded.model.training
    assert (loaded.dtype, loaded.device, loaded.vocabulary, loaded.head_rows) == ("float32", "cpu", 96, 96)
    assert loaded.model.dtype == torch.float32


def test_a_bfloat16_checkpoint_runs_in_float32_on_a_cpu(config: transformers.LlamaConfig, tmp_path: Path) -> None:
    transformers.AutoModelForCausalLM.from_config(config).bfloat16().save_pretrained(tmp_path)
    assert load(ModelSpec.of(str(tmp_path), device="cpu"), "causal").model.dtype == torch.float32


def test_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    for name in ("cuda", "cuda:3", "abacus"):
        with pytest.raises(SettingsError, match=f"no device {name}"):
            choose_device(name)


def test_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_dtype("auto", "cpu") == "float32"
    assert choose_dtype("float16", "cpu") == "float16"
    # a T4 beside an A100: the device asked for decides
    monkeypatch.setattr(torch.cuda, "get_device_capability", {"cuda:0": (8, 0), "cuda:1": (7, 5)}.__getitem__)
    assert choose_dtype("auto", "cuda:0") == "bfloat16"
    assert choose_dtype("auto", "cuda:1") == "float16"


def test_the_limit_is_the_configurations(config: transformers.LlamaConfig, tmp_path: Path) -> None:
    config.save_pretrained(tmp_path)
    assert model_limit(ModelSpec.of(str(tmp_path))) == 256
    assert model_limit(ModelSpec.of("fake:1")) is None
    with pytest.raises(ModelError, match="no model at this path"):
        model_limit(ModelSpec.of(str(tmp_path / "none")))


def test_fake_models_need_nothing() -> None:
    assert open_logprobs(ModelSpec.of("fake:1")).facts() == {"backend": "fake", "seed": "1"}
    assert "no model" in open_rewards(ModelSpec.of("fake:1")).notes[0]


def test_a_backend_that_cannot_be_used_is_refused_early() -> None:
    assert check_backend("auto") is None
    with pytest.raises(CurateError, match=r"(?i)vllm"):
        check_backend("vllm")


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda n: "small" if n == 3 else "large")


@pytest.mark.parametrize(("wanted", "found"), [("3", (0, 1, 2)), ("1", (0,)), ("2,0", (2, 0))])
def test_gpus_by_number_or_name(four_gpus: None, wanted: str, found: tuple[int, ...]) -> None:
    assert cuda_devices(wanted) == tuple(f"cuda:{n}" for n in found)


@pytest.mark.parametrize(
    ("wanted", "told"), [("5", "not 5 GPUs"), ("0,4", "no GPU 4"), ("all", "large, small"), ("0,3", "different kinds")]
)
def test_gpus_that_are_not_there_or_unlike_are_refused(four_gpus: None, wanted: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        cuda_devices(wanted)
    assert caught.value.where == f"--gpus {wanted}"


def test_no_gpu_at_all_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="no CUDA device"):
        cuda_devices("all")
