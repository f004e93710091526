"""LoRA adapters, opened on their models. What needs peft is left out where that is not installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import transformers

import curate
from curate.backends import ModelSpec
from curate.backends.adapter_checks import check_adapter
from curate.backends.configs import read_config
from curate.backends.torch import adapters as torch_adapters
from curate.backends.torch import loading as torch_loading
from curate.backends.torch.scoring import TorchLogprobs
from curate.errors import MissingExtra, ModelError, SettingsError
from curate.model import Model
from tests.backends.models import SHAPE, logp_alone, open_alone, random_rows, save_causal, worst

ROWS = random_rows([9, 30, 31, 5, 47], seed=3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_causal(transformers.LlamaConfig(**SHAPE), tmp_path_factory.mktemp("base"))


def describe(folder: Path, base: str, **changes: Any) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    config = {"base_model_name_or_path": base, "peft_type": "LORA", **changes}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return str(folder)


def test_an_adapter_says_what_it_adapts(base: str, tmp_path: Path) -> None:
    folder = describe(tmp_path / "a", base)
    model = Model.of(folder)
    assert (model.kind, model.weights, model.base) == ("adapter", base, Model.of(base))
    assert [Model.of(name).base for name in (base, "some/model", "fake:1")] == [None] * 3
    assert read_config(ModelSpec.of(folder)).hidden_size == 32
    silent = describe(tmp_path / "b", "")
    with pytest.raises(SettingsError, match="does not say"):
        Model.of(silent)
    with pytest.raises(SettingsError, match="another adapter"):
        Model.of(describe(tmp_path / "c", folder))
    with pytest.raises(SettingsError, match="another adapter"):
        Model.of(describe(tmp_path / "itself", str(tmp_path / "itself")))


def test_two_names_of_one_model(base: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(base)
    assert Model.of(base).is_same(Model.of(str(tmp_path / "link")))
    assert Model.of("some/model").is_same(Model.of("some/model"))
    assert not Model.of(base).is_same(Model.of(str(tmp_path)))
    assert not Model.of(base).is_same(Model.of("some/model"))


def test_another_model_beneath_is_another_adapter(base: str, tmp_path: Path) -> None:
    one = Model.of(describe(tmp_path / "a", base)).identity()
    assert one["adapts"] == Model.of(base).identity()
    assert one["hash"] != one["adapts"]["hash"]


def test_what_cannot_be_opened_is_refused_early(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModelSpec.of(describe(tmp_path / "a", base), backend="torch")
    with monkeypatch.context() as patched:
        patched.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(MissingExtra, match="peft") as caught:
            check_adapter(spec)
        assert "[lora]" in caught.value.hint
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    check_adapter(spec)
    check_adapter(ModelSpec.of(base, backend="vllm"))
    with pytest.raises(SettingsError, match="Only the PyTorch backend"):
        check_adapter(ModelSpec.of(spec.name, backend="vllm"))
    with pytest.raises(ModelError, match="PREFIX_TUNING"):
        check_adapter(ModelSpec.of(describe(tmp_path / "b", base, peft_type="PREFIX_TUNING"), backend="torch"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no safetensors"):
        check_adapter(ModelSpec.of(describe(tmp_path / "c", str(tmp_path / "empty")), backend="torch"))


def test_the_tokenizer_is_the_adapters_own_or_its_models(demo_models: Path, tmp_path: Path) -> None:
    folder = describe(tmp_path / "a", str(demo_models / "policy"))
    assert Model.of(folder).tokenizer == str(demo_models / "policy")
    transformers.AutoTokenizer.from_pretrained(demo_models / "policy").save_pretrained(folder)
    assert Model.of(folder).tokenizer == folder


# ---- with peft


def save_adapter(base: str, folder: Path, seed: int, **more: Any) -> str:
    peft = pytest.importorskip("peft")
    torch.manual_seed(seed)
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj", "up_proj"], init_lora_weights=False, **more)
    model = peft.get_peft_model(open_alone(base), config)
    if more:
        for name, weights in model.named_parameters():
            if weights.requires_grad and "lora" not in name:
                torch.nn.init.normal_(weights)
    model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def adapter(base: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_adapter(base, tmp_path_factory.mktemp("adapter"), seed=1)


def measured(backend: TorchLogprobs) -> list[float]:
    try:
        return backend.logps(ROWS)
    finally:
        backend.close()


def test_an_adapter_agrees_with_peft_in_a_batch_of_one(base: str, adapter: str) -> None:
    import peft

    backend = TorchLogprobs(ModelSpec.of(adapter, device="cpu"))
    assert backend.packs
    assert backend.notes == []
    alone = peft.PeftModel.from_pretrained(open_alone(base), adapter)
    wanted = [logp_alone(alone, row) for row in ROWS]
    assert worst(measured(backend), wanted, ROWS) < 1e-4
    assert worst(wanted, [logp_alone(open_alone(base), row) for row in ROWS], ROWS) > 0.01


@pytest.mark.parametrize("second", ["base", "adapter"])
def test_the_model_stays_for_the_reference_and_is_as_it_was(
    second: str, base: str, adapter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = base if second == "base" else save_adapter(base, tmp_path / "other", seed=2)
    fresh = measured(TorchLogprobs(ModelSpec.of(other, device="cpu")))
    policy = TorchLogprobs(ModelSpec.of(adapter, device="cpu", keep_base=True))
    inner = policy.loaded.model
    policy.close()
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", lambda *a, **k: pytest.fail("read again"))
    reference = TorchLogprobs(ModelSpec.of(other, device="cpu"))
    assert reference.loaded.model is inner
    assert measured(reference) == fresh
    assert torch_adapters._kept == []


@pytest.mark.parametrize("more", [{"modules_to_save": ["norm"]}, {"modules_to_save": ["lm_head"]}, {"use_dora": True}])
def test_the_reference_is_as_it_was_whatever_the_adapter_trained(base: str, tmp_path: Path, more: Any) -> None:
    fresh = measured(TorchLogprobs(ModelSpec.of(base, device="cpu")))
    adapter = save_adapter(base, tmp_path, seed=3, **more)
    policy = measured(TorchLogprobs(ModelSpec.of(adapter, device="cpu", keep_base=True)))
    assert len(torch_adapters._kept) == ("modules_to_save" not in more)
    assert worst(policy, fresh, ROWS) > 0.01
    assert measured(TorchLogprobs(ModelSpec.of(base, device="cpu"))) == fresh


def test_adapters_that_change_the_weights_beneath_are_known() -> None:
    peft = pytest.importorskip("peft")
    assert torch_adapters.only_adds(peft.LoraConfig(r=64, use_rslora=True, target_modules="all-linear"))
    for more in ({"bias": "all"}, {"init_lora_weights": "pissa"}, {"trainable_token_indices": [1]}):
        assert not torch_adapters.only_adds(peft.LoraConfig(**more))


def test_what_is_kept_is_freed_when_another_model_is_opened(base: str, adapter: str, demo_models: Path) -> None:
    TorchLogprobs(ModelSpec.of(adapter, device="cpu", keep_base=True)).close()
    assert len(torch_adapters._kept) == 1
    TorchLogprobs(ModelSpec.of(str(demo_models / "policy"), device="cpu")).close()
    assert torch_adapters._kept == []
    TorchLogprobs(ModelSpec.of(adapter, device="cpu")).close()
    assert torch_adapters._kept == []


def test_an_adapter_that_lacks_weights_is_refused(adapter: str, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(adapter, tmp_path / "a"))
    weights = load_file(folder / "adapter_model.safetensors")
    save_file({k: v for k, v in weights.items() if "layers.1" not in k}, folder / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="lacks some of its weights"):
        TorchLogprobs(ModelSpec.of(str(folder), device="cpu"))


def test_an_adapter_of_another_shape_is_refused(adapter: str, tmp_path: Path) -> None:
    import shutil

    other = save_causal(transformers.LlamaConfig(**(SHAPE | {"intermediate_size": 40})), tmp_path / "other")
    folder = Path(shutil.copytree(adapter, tmp_path / "a"))
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": other}))
    with pytest.raises(ModelError, match="cannot be loaded"):
        TorchLogprobs(ModelSpec.of(str(folder), device="cpu"))


@pytest.mark.parametrize("second", ["base", "adapter"])
def test_scoring_reads_a_shared_model_once(
    second: str, demo_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = str(demo_models / "policy")
    policy = save_adapter(base, tmp_path / "a", seed=1)
    reference = base if second == "base" else save_adapter(base, tmp_path / "b", seed=2)
    data = tmp_path / "pairs.jsonl"
    data.write_text(json.dumps({"prompt": "Say hello.", "chosen": "Hello there.", "rejected": "No."}) + "\n")

    def columns(name: str, **models: str) -> pl.DataFrame:
        curate.score(data, tmp_path / name, dtype="float32", device="cpu", **models)
        return pl.read_parquet(tmp_path / name)

    alone = columns("alone.parquet", policy=reference)
    read, own = [], torch_loading._read
    monkeypatch.setattr(torch_loading, "_read", lambda *given: read.append(given[1]) or own(*given))
    both = columns("both.parquet", policy=policy, reference=reference)
    assert read == [base]
    assert both["ref_chosen_logps"][0] == pytest.approx(alone["policy_chosen_logps"][0], abs=1e-4)
    assert both["policy_chosen_logps"][0] != pytest.approx(both["ref_chosen_logps"][0], abs=1e-2)
