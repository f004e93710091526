"""Runs in several processes: the bytes are those of one."""

import pytest

from curate.errors import SettingsError, StoreError

from .helpers import (
    MODELS,
    candidate_rows,
    pair_rows,
    prompt_rows,
    run_generate,
    run_pair,
    run_score,
    write_jsonl,
)
from .test_resume import stopped_run

RUNS = {
    "score": (run_score, [*pair_rows(60), "{broken"], {**MODELS, "reward": ("fake:3",)}),
    "candidates": (run_score, candidate_rows(20), {"policy": "fake:1", "reward": ("fake:3",)}),
    "judged": (run_score, pair_rows(30), {"reward": ("judge:fake:1",)}),
    "pair": (run_pair, candidate_rows(20), {**MODELS}),
    "generate": (run_generate, prompt_rows(), {"samples": 3, "temperature": "0.5,1", "batch_tokens": 1200}),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_bytes_are_those_of_one_process(tmp_path, name):
    run, rows, settings = RUNS[name]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    settings = {"batch_tokens": 60, **settings}
    run(data, tmp_path / "one.parquet", **settings)
    run(data, tmp_path / "two.parquet", **settings, workers=2)
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_the_bytes_of_a_real_model_are_those_of_one_process(tmp_path, demo_models):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(16))
    settings = {"policy": str(demo_models / "policy"), "batch_tokens": 100, "device": "cpu"}
    run_score(data, tmp_path / "one.parquet", **settings)
    run_score(data, tmp_path / "two.parquet", **settings, workers=2)
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_a_run_goes_on_with_another_number_of_processes(monkeypatch, tmp_path):
    data = stopped_run(monkeypatch, tmp_path, policy="fake:1", workers=2)
    with pytest.raises(StoreError, match="other settings"):
        run_score(data, tmp_path / "s.parquet", policy="fake:2")
    run_score(data, tmp_path / "s.parquet", policy="fake:1", workers=3)
    run_score(data, tmp_path / "whole.parquet", policy="fake:1")
    assert (tmp_path / "s.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.parametrize("gpus", [3, "3", "all", [0, 1, 2], "0, 1, 2"])
def test_gpus_are_named_and_looked_for_before_anything_else(monkeypatch, tmp_path, gpus):
    import torch

    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="no CUDA device"):
        run_score(data, tmp_path / "s.parquet", policy="fake:1", gpus=gpus)
    assert not (tmp_path / "s.parquet.work").exists()


def test_processes_of_the_cpu_are_refused_where_models_run_on_a_gpu(monkeypatch, tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    with pytest.raises(SettingsError, match="on a GPU"):
        run_score(data, tmp_path / "s.parquet", policy="fake:1", workers=2, device="cuda")
