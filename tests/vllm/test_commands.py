"""The commands with --backend vllm, against the same with --backend torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import transformers

from curate.backends.vllm.models import VllmLogprobs
from curate.demo.world import make_pairs, make_prompts
from curate.errors import CurateError, ModelError, StoreError
from tests.backends.models import SHAPE, save_causal
from tests.commands.helpers import read_manifest, run_generate, run_score, write_jsonl
from tests.commands.terminal import Terminal
from tests.vllm.models import causal, close_all

MODELS = ("policy", "reference", "reward")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    close_all()
    write_jsonl(tmp_path / "d.jsonl", make_pairs(40, 22))
    write_jsonl(tmp_path / "p.jsonl", [{"prompt": prompt} for prompt in make_prompts(6, 23)])
    return tmp_path


def given(demo_models: Path, *names: str) -> dict[str, Any]:
    models: dict[str, Any] = {name: str(demo_models / name) for name in names}
    return models | ({"reward": (models["reward"],)} if "reward" in models else {})


def test_score_gives_torchs_columns(place: Path, demo_models: Path) -> None:
    models = given(demo_models, *MODELS) | {"embedder": "minilm"}
    for backend in ("torch", "vllm"):
        run_score(place / "d.jsonl", place / f"{backend}.parquet", backend=backend, **models)
    theirs, ours = (pl.read_parquet(place / f"{backend}.parquet") for backend in ("torch", "vllm"))
    assert ours.columns == theirs.columns
    tokens = theirs["chosen_tokens"], theirs["rejected_tokens"]
    for name in theirs.columns:
        if theirs[name].dtype == pl.Float64:
            assert (ours[name].is_null() == theirs[name].is_null()).all()
            per_token = name.endswith("_logps")
            scale = tokens["rejected" in name] if per_token else 1.0 + theirs[name].abs()
            assert ((ours[name] - theirs[name]).abs() / scale).max() < 1e-4, name
        else:
            assert ours[name].equals(theirs[name]), name
    measured = read_manifest(place / "vllm.parquet")["measured_with"]
    assert {measured[name]["backend"] for name in ("policy", "reference", "reward.reward", "embedding")} == {"vllm"}
    assert measured["policy"]["vllm"] == measured["embedding"]["vllm"]
    assert read_manifest(place / "torch.parquet")["measured_with"]["policy"]["backend"] == "torch"


def test_the_same_command_gives_the_same_bytes(place: Path, demo_models: Path) -> None:
    models = given(demo_models, "policy")
    for name in ("a", "b"):
        run_score(place / "d.jsonl", place / f"{name}.parquet", backend="vllm", batch_tokens=2000, **models)
    assert (place / "a.parquet").read_bytes() == (place / "b.parquet").read_bytes()


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(
    place: Path, demo_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = given(demo_models, "policy")
    run_score(place / "d.jsonl", place / "whole.parquet", backend="vllm", batch_tokens=1500, **models)
    logps, calls = VllmLogprobs.logps, []

    def stopping(self: VllmLogprobs, batch: Any) -> list[float]:
        calls.append(len(batch))
        if len(calls) == 7:  # three of the self-check, then batches
            raise KeyboardInterrupt
        return logps(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(VllmLogprobs, "logps", stopping)
        with pytest.raises(KeyboardInterrupt):
            run_score(place / "d.jsonl", place / "o.parquet", backend="vllm", batch_tokens=1500, **models)
    run_score(place / "d.jsonl", place / "o.parquet", backend="vllm", batch_tokens=1500, **models)
    assert (place / "o.parquet").read_bytes() == (place / "whole.parquet").read_bytes()


def test_work_of_one_backend_is_not_finished_by_the_other(
    place: Path, demo_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = given(demo_models, "policy")

    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("curate.jobs.score_table.measure_pairs", stopped)
        with pytest.raises(KeyboardInterrupt):
            run_score(place / "d.jsonl", place / "o.parquet", backend="torch", **models)
    with pytest.raises(StoreError) as caught:
        run_score(place / "d.jsonl", place / "o.parquet", backend="vllm", **models)
    assert "backend" in str(caught.value)
    run_score(place / "d.jsonl", place / "o.parquet", backend="auto", **models)


def test_generate(place: Path, demo_models: Path) -> None:
    settings: dict[str, Any] = {"policy": (str(demo_models / "policy"),), "temperature": (0, 1.0), "max_tokens": 60}
    for name in ("vllm", "again", "torch"):
        backend = "torch" if name == "torch" else "vllm"
        run_generate(place / "p.jsonl", place / f"{name}.parquet", backend=backend, samples=4, **settings)
    assert (place / "vllm.parquet").read_bytes() == (place / "again.parquet").read_bytes()
    ours, theirs = (pl.read_parquet(place / f"{name}.parquet") for name in ("vllm", "torch"))
    assert ours.columns == theirs.columns
    for mine, other in zip(ours.iter_rows(named=True), theirs.iter_rows(named=True), strict=True):
        assert mine["responses"][0] == other["responses"][0], "greedy"
        assert set(mine["finish_reasons"]) <= {"stop", "length"}
    assert read_manifest(place / "vllm.parquet")["measured_with"]["responses-0"]["backend"] == "vllm"
    run_score(place / "vllm.parquet", place / "rated.parquet", policy=str(demo_models / "policy"), backend="torch")


# ---- errors that the user can mend


def refused(place: Path, **settings: Any) -> CurateError:
    with pytest.raises(CurateError) as caught:
        run_score(place / "d.jsonl", place / "o.parquet", backend="vllm", **settings)
    error = caught.value
    assert error.what and error.where and error.hint
    assert not (place / "o.parquet").exists()
    return error


def with_tokenizer(folder: Path, demo_models: Path) -> str:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((demo_models / "policy" / name).read_bytes())
    (folder / "chat_template.jinja").write_bytes((demo_models / "policy" / "chat_template.jinja").read_bytes())
    return str(folder)


def test_heads_that_vllm_cannot_read_on_a_cpu(place: Path, demo_models: Path) -> None:
    save_causal(transformers.LlamaConfig(**(SHAPE | {"vocab_size": 1024})), place / "narrow")
    error = refused(place, policy=with_tokenizer(place / "narrow", demo_models))
    assert isinstance(error, ModelError)
    assert "head" in error.where
    assert "--backend=torch" in error.hint
    # what stood in its way does not stand in the way of the next
    run_score(place / "d.jsonl", place / "o.parquet", backend="vllm", policy=str(demo_models / "policy"))


def test_a_length_that_does_not_fit_the_memory(place: Path, demo_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.backends.vllm.engine.CPU_CACHE_BYTES", 2**20)
    causal(place / "long", max_position_embeddings=100_000)
    error = refused(place, policy=with_tokenizer(place / "long", demo_models))
    assert "--max-length" in error.hint
    assert "KV cache" in error.where


def test_a_causal_model_is_no_reward_model(place: Path, demo_models: Path) -> None:
    error = refused(place, reward=(str(demo_models / "policy"),))
    assert isinstance(error, ModelError)


def test_another_device_than_vllm_is_made_for(place: Path, demo_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import vllm.platforms

    monkeypatch.setattr(vllm.platforms.current_platform, "device_type", "cuda", raising=False)
    error = refused(place, policy=str(demo_models / "policy"))
    assert "made for cuda" in error.what


def test_the_command_line_prints_three_lines(
    place: Path, demo_models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    curate = Terminal(monkeypatch, capsys)
    config = json.loads((demo_models / "reward" / "config.json").read_text())
    folder = place / "ArmoRM-like"
    folder.mkdir()
    with_tokenizer(folder, demo_models)
    (folder / "model.safetensors").write_bytes((demo_models / "reward" / "model.safetensors").read_bytes())
    (folder / "config.json").write_text(json.dumps(config))
    words = ("score", place / "d.jsonl", "-o", place / "o.parquet", "--reward", folder, "--backend", "vllm")
    code, out, err = curate(*words, "--trust-remote-code", "--quiet")
    assert (code, out) == (2, "")
    assert [line[:6] for line in err.splitlines()] == ["error:", "where:", "  try:"], err
    assert "--backend=torch" in err
