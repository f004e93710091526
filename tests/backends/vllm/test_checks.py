"""What is found in a model's files before vLLM opens it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import transformers

from curate.backends import ModelSpec
from curate.backends.vllm.checks import check_positions, check_sentence_model
from curate.errors import ModelError
from tests.backends.models import SHAPE

FACTORS = {"long_factor": [1.0] * 4, "short_factor": [1.0] * 4}


def saved(folder: Path, **changes: Any) -> str:
    transformers.LlamaConfig(**(SHAPE | changes)).save_pretrained(folder)
    return str(folder)


def longrope(folder: Path) -> str:
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": 64, **FACTORS}
    return saved(folder, rope_parameters=rope)


@pytest.mark.parametrize("kind", ["default", "linear", "llama3", "yarn"])
def test_scaling_that_is_the_same_for_every_text(tmp_path: Path, kind: str) -> None:
    more = {} if kind == "default" else {"factor": 2.0}
    more |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0} if kind == "llama3" else {}
    more |= {} if kind in ("default", "linear") else {"original_max_position_embeddings": 128}
    path = saved(tmp_path, rope_parameters={"rope_type": kind, "rope_theta": 1e4, **more})
    check_positions(ModelSpec.of(path, max_length=256))


def test_dynamic_scaling_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0})
    with pytest.raises(ModelError, match=r"text's length \(dynamic\)") as caught:
        check_positions(ModelSpec.of(path, max_length=16))
    assert caught.value.hint == "Use --backend=torch."


@pytest.mark.parametrize("max_length", [64, 256, None])
def test_two_sets_of_factors_are_refused_for_long_texts(tmp_path: Path, max_length: int | None) -> None:
    """vLLM wants room for one token more: 64 tokens already make it take the factors for long texts."""
    with pytest.raises(ModelError, match=r"text's length \(longrope\)") as caught:
        check_positions(ModelSpec.of(longrope(tmp_path), max_length=max_length))
    assert "--max-length=63" in caught.value.hint


def test_two_sets_of_factors_are_one_for_short_texts(tmp_path: Path) -> None:
    check_positions(ModelSpec.of(longrope(tmp_path), max_length=63))


def test_each_kind_of_layer_is_looked_at(tmp_path: Path) -> None:
    config = transformers.Gemma3TextConfig(vocab_size=96, hidden_size=32, num_hidden_layers=2)
    rope = {"rope_type": "dynamic", "rope_theta": 1e6, "factor": 2.0}
    config.rope_parameters = {"sliding_attention": {"rope_type": "default", "rope_theta": 1e4}, "full_attention": rope}
    config.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="dynamic"):
        check_positions(ModelSpec.of(str(tmp_path)))


def sentence_model(folder: Path, pooling: dict[str, Any], *parts: str, prompt: str | None = None) -> str:
    kinds = ["Transformer", "Pooling", *parts]
    modules = [{"path": f"{i}_{kind}", "type": f"sentence_transformers.models.{kind}"} for i, kind in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 8, **pooling}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"default_prompt_name": prompt}))
    return str(folder)


MEAN = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}


@pytest.mark.parametrize(
    "pooling",
    [MEAN, {"pooling_mode": "mean"}, {"pooling_mode_lasttoken": True}, {"pooling_mode_cls_token": True}],
)
def test_embedders_that_vllm_reads_whole(tmp_path: Path, pooling: dict[str, Any]) -> None:
    check_sentence_model(sentence_model(tmp_path, pooling, "Dense", "Normalize"))


@pytest.mark.parametrize(
    ("pooling", "parts", "prompt", "told"),
    [
        ({"pooling_mode_max_tokens": True}, (), None, "its pooling is max"),
        ({"pooling_mode": "weightedmean"}, (), None, "its pooling is weightedmean"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, (), None, "its pooling is mean, cls"),
        ({}, (), None, "its pooling is unknown"),
        (MEAN, ("LayerNorm",), None, "it has a LayerNorm part"),
        (MEAN, (), "query", "it puts a prompt in front"),
    ],
)
def test_embedders_that_do_more(
    tmp_path: Path, pooling: dict[str, Any], parts: tuple[str, ...], prompt: str | None, told: str
) -> None:
    with pytest.raises(ModelError, match=told) as caught:
        check_sentence_model(sentence_model(tmp_path, pooling, *parts, prompt=prompt))
    assert caught.value.hint == "Use --backend=torch."


def test_a_plain_transformer_names_no_pooling(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="names no pooling"):
        check_sentence_model(saved(tmp_path))
