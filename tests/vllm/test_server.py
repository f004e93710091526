"""A real vLLM server on this machine, against PyTorch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.backends import ModelSpec, Sampling
from curate.backends.open import open_generation, open_logprobs, open_rewards, resolved
from curate.backends.torch.generation import TorchGeneration
from curate.backends.torch.scoring import TorchLogprobs, TorchRewards
from curate.demo.world import make_pairs
from curate.render import Rendered
from tests.backends.models import worst
from tests.commands.helpers import read_manifest, run_generate, run_score, write_jsonl
from tests.vllm.models import CLOSE, close_all

START_SECONDS = 300


@contextmanager
def serving(model: Path, log: Path, *options: str) -> Iterator[str]:
    """A server of this model, called `served`; yields its address."""
    close_all()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--served-model-name", "served"]
    words += ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"]
    words += ["--max-model-len", "2048", "--kv-cache-memory-bytes", str(2**28), *options]
    quiet = {"HF_HUB_OFFLINE": "1", "TORCH_COMPILE_DISABLE": "1", "VLLM_NO_USAGE_STATS": "1"}
    environment = {**os.environ, **quiet, "VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
    with log.open("wb") as written:
        running = subprocess.Popen([sys.executable, *words], env=environment, stdout=written, stderr=written)
    url = f"http://127.0.0.1:{port}"
    try:
        wait(url, running, log)
        yield url
    finally:
        running.terminate()
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def wait(url: str, running: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and running.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/v1/models", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(log.read_text(errors="replace")[-3000:])


@pytest.fixture(scope="module")
def policy(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("policy") / "log"
    with serving(demo_models / "policy", log) as url:
        yield f"{url}#served@{demo_models / 'policy'}"


def test_log_probabilities(policy: str, demo_models: Path, demo_rows: list[Rendered]) -> None:
    torch = TorchLogprobs(ModelSpec.of(str(demo_models / "policy"), device="cpu"))
    backend = open_logprobs(resolved(ModelSpec.of(policy)))
    assert worst(backend.logps(demo_rows), torch.logps(demo_rows), demo_rows) < CLOSE


def test_responses(policy: str, demo_models: Path, demo_rows: list[Rendered]) -> None:
    prompts = [row.ids[: row.start] for row in demo_rows[:20:2]]
    seeds = range(len(prompts))
    backend = open_generation(resolved(ModelSpec.of(policy)))
    torch = TorchGeneration(ModelSpec.of(str(demo_models / "policy"), device="cpu"))
    greedy = Sampling(temperature=0, max_tokens=80)
    ours, theirs = backend.generate(prompts, seeds, greedy), torch.generate(prompts, seeds, greedy)
    assert [(one.ids, one.finish_reason) for one in ours] == [(one.ids, one.finish_reason) for one in theirs]
    drawn = backend.generate(prompts, seeds, Sampling(1.2, 0.9, 80))
    assert [one.ids for one in backend.generate(prompts, seeds, Sampling(1.2, 0.9, 80))] == [one.ids for one in drawn]
    rows = [Rendered(ids + one.ids, len(ids), "exact") for ids, one in zip(prompts, drawn, strict=True)]
    scorer = TorchLogprobs(ModelSpec.of(str(demo_models / "policy"), device="cpu"))
    assert worst([one.logps for one in drawn], scorer.logps(rows), rows) < CLOSE
    cut = backend.generate(prompts[:2], [0, 1], Sampling(max_tokens=3))
    assert [(len(one.ids), one.finish_reason) for one in cut] == [(3, "length")] * 2


def test_the_commands(policy: str, demo_models: Path, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", make_pairs(30, 24))
    local: dict[str, Any] = {"reference": str(demo_models / "reference"), "max_length": 1000}
    run_score(data, tmp_path / "served.parquet", policy=policy, **local)
    run_score(data, tmp_path / "local.parquet", policy=str(demo_models / "policy"), **local)
    ours, theirs = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("served", "local"))
    assert ours.columns == theirs.columns
    for side in ("chosen", "rejected"):
        assert ours[f"{side}_tokens"].equals(theirs[f"{side}_tokens"])
        off = (ours[f"policy_{side}_logps"] - theirs[f"policy_{side}_logps"]).abs() / theirs[f"{side}_tokens"]
        assert off.max() < CLOSE
        assert ours[f"ref_{side}_logps"].equals(theirs[f"ref_{side}_logps"])
    manifest = read_manifest(tmp_path / "served.parquet")
    assert manifest["measured_with"]["policy"]["backend"] == "server"
    assert "127.0.0.1" not in str(manifest) and str(demo_models) not in str(manifest)
    prompts = write_jsonl(tmp_path / "p.jsonl", [{"prompt": "Name three fruits."}, {"prompt": "Hi"}])
    result = run_generate(prompts, tmp_path / "g.parquet", policy=(f"mine={policy}",), max_tokens=40)
    assert result.prompts == 2
    assert "127.0.0.1" not in str(read_manifest(tmp_path / "g.parquet"))


def test_rewards(policy: str, demo_models: Path, demo_rows: list[Rendered], tmp_path: Path) -> None:
    rows = [row.ids for row in demo_rows]
    model = demo_models / "reward"
    theirs = TorchRewards(ModelSpec.of(str(model), device="cpu")).rewards(rows)
    with serving(model, tmp_path / "log", "--runner", "pooling") as url:
        ours = open_rewards(resolved(ModelSpec.of(f"{url}#served@{model}"))).rewards(rows)
    assert max(theirs) > 1, "a sigmoid would not be told from the raw logit"
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) < CLOSE
