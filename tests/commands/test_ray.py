"""Runs on Ray: the bytes are those of this process, whoever dies midway; nothing is left and nothing else is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.engines.cluster import Nodes, connect, session
from curate.errors import MissingExtra, SettingsError
from curate.model import Model
from curate.plan.places import model_spec
from curate.settings import ScoreSettings, make

from .helpers import MODELS, pair_rows, run_generate, run_score, write_jsonl
from .test_processes import RUNS

SLOW = """
import time
from curate.backends.fake import FakeBackend
logps = FakeBackend.logps
def slow(self, *given):
    open(f"measured-{time.time_ns()}", "w").close()
    time.sleep(0.05)
    return logps(self, *given)
FakeBackend.logps = slow
"""


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """One Ray for the runs of this process."""
    pytest.importorskip("ray", reason="ray is not installed; run make test-ray")
    with session():
        connect(None)
        yield


@pytest.mark.ray
@pytest.mark.parametrize("name", RUNS)
def test_the_bytes_are_those_of_one_process(tmp_path: Path, name: str, ray_here: None) -> None:
    run, rows, settings = RUNS[name]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    settings = {"batch_tokens": 60, **settings}
    run(data, tmp_path / "one.parquet", **settings)
    run(data, tmp_path / "two.parquet", **settings, engine="ray", workers=2)
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


@pytest.mark.ray
def test_the_bytes_of_real_models_are_those_of_one_process(tmp_path: Path, demo_models: Path, ray_here: None) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(16))
    models = {role: str(demo_models / role) for role in ("policy", "reference")}
    settings = {**models, "reward": (str(demo_models / "reward"),), "batch_tokens": 100, "device": "cpu"}
    run_score(data, tmp_path / "one.parquet", **settings)
    run_score(data, tmp_path / "two.parquet", **settings, engine="ray", workers=2)
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


def started(folder: Path, *more: str, slow: bool = True) -> subprocess.Popen[str]:
    """A command that takes seconds, in a session of its own; `sitecustomize` slows the workers down, too."""
    write_jsonl(folder / "d.jsonl", pair_rows(150))
    if slow:
        (folder / "sitecustomize.py").write_text(SLOW)
    words = ["score", "d.jsonl", "-o", "o.parquet", "--policy", "fake:1", "--batch-tokens", "40", "--engine", "ray"]
    return subprocess.Popen(
        [sys.executable, "-m", "curate", *words, *more],
        cwd=folder,
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
    )


def until_it_measures(folder: Path, running: subprocess.Popen[str], batches: int = 20) -> None:
    while len(list(folder.glob("measured-*"))) < batches:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)


def of_session(number: int) -> list[str]:
    """The processes of a session, but for those that have ended."""
    said = subprocess.run(["ps", "-e", "-o", "sess=,stat=,args="], capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in said.splitlines()]
    return [args for leader, state, args in rows if leader == str(number) and not state.startswith("Z")]


def nothing_is_left(number: int) -> bool:
    """Processes that Ray started notice within seconds that the one that started them is gone."""
    for _ in range(600):
        if not of_session(number):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.ray
@pytest.mark.parametrize("engine", ["ray", "local"])
def test_a_driver_that_is_killed_is_resumed_by_either_engine(tmp_path: Path, ray_here: None, engine: str) -> None:
    """The time that a batch takes is what makes the driver store some: it does so every five seconds."""
    running = started(tmp_path, "--workers", "2")
    until_it_measures(tmp_path, running)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    assert nothing_is_left(running.pid)
    run_score(str(tmp_path / "d.jsonl"), tmp_path / "o.parquet", policy="fake:1", batch_tokens=40, engine=engine)
    run_score(str(tmp_path / "d.jsonl"), tmp_path / "whole.parquet", policy="fake:1", batch_tokens=40)
    assert (tmp_path / "o.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.ray
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_leaves_no_process(tmp_path: Path, number: int, code: int) -> None:
    pytest.importorskip("ray", reason="ray is not installed; run make test-ray")
    running = started(tmp_path, "--workers", "2")
    until_it_measures(tmp_path, running)
    os.killpg(running.pid, number)
    _, said = running.communicate(timeout=120)
    assert running.returncode == code, said
    assert "Traceback" not in said
    assert nothing_is_left(running.pid)


@pytest.mark.ray
def test_ray_needs_no_connection(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed; run make test-ray")
    running = started(tmp_path, "--offline", slow=False)  # which would take Ray's own processes offline
    _, said = running.communicate(timeout=300)
    assert running.returncode == 0, said
    assert nothing_is_left(running.pid)


@pytest.mark.ray
def test_ray_says_nothing_even_when_a_worker_dies(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed; run make test-ray")
    running = started(tmp_path, "--workers", "2", "--json")
    until_it_measures(tmp_path, running)
    workers = subprocess.run(["pgrep", "-s", str(running.pid), "-f", "ray::Worker"], capture_output=True, text=True)
    os.kill(int(workers.stdout.split()[0]), signal.SIGKILL)
    out, said = running.communicate(timeout=300)
    assert running.returncode == 0, said
    assert json.loads(out)["rows"] == 150
    assert not [line for line in said.splitlines() if "ray" in line.lower()]
    assert nothing_is_left(running.pid)


@pytest.mark.ray
def test_a_cluster_is_joined_at_its_address_and_left_as_it_was(tmp_path: Path, demo_models: Path) -> None:
    """Also offline, as the address was named."""
    pytest.importorskip("ray", reason="ray is not installed; run make test-ray")
    from ray.cluster_utils import Cluster

    simulated = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        reward = str(demo_models / "reward")
        for name in ("first", "second"):
            folder = tmp_path / name
            folder.mkdir()
            words = ["--ray-address", simulated.address, "--workers", "2", "--offline", "--reward", f"r={reward}"]
            running = started(folder, *words, slow=False)
            _, said = running.communicate(timeout=300)
            assert running.returncode == 0, said
            models = {"policy": "fake:1", "reward": (f"r={reward}",)}
            run_score(str(folder / "d.jsonl"), folder / "one.parquet", **models, batch_tokens=40)
            assert (folder / "o.parquet").read_bytes() == (folder / "one.parquet").read_bytes()
    finally:
        simulated.shutdown()


# ---- without Ray


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"engine": "ray"}, "The package ray is not installed"),
        ({"ray_address": "head:6379"}, "Only the Ray engine joins a cluster"),
    ],
)
def test_what_is_missing_is_said_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, more: dict[str, Any], what: str
) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    for run, models in ((run_score, MODELS), (run_generate, {"policy": ("fake:1",)})):
        with pytest.raises((MissingExtra, SettingsError), match=what) as caught:
            run(data, tmp_path / "o.parquet", **models, **more)
        assert caught.value.where
        assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]


@pytest.mark.parametrize("more", [{"gpus": "0,1"}, {"device": "cuda:1"}])
def test_ray_chooses_its_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, more: dict[str, str]) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    monkeypatch.setattr("curate.plan.places.check_installed", lambda: None)
    with pytest.raises(SettingsError, match="Ray itself chooses"):
        run_score(data, tmp_path / "o.parquet", **MODELS, engine="ray", **more)


@pytest.mark.parametrize("more", [{"gpus": "all"}, {"device": "cuda"}, {"gpus": "2", "tensor_parallel": 4}])
def test_a_cluster_without_gpus_is_refused_where_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, demo_models: Path, more: dict[str, Any]
) -> None:
    policy = str(demo_models / "policy")
    monkeypatch.setattr("curate.plan.places.nodes_of", lambda _: Nodes(gpus=0, cpus=8, largest=8))
    given = {"data": ("d",), "out": tmp_path / "o", "engine": "ray", "ray_address": "head:6379", "policy": policy}
    with pytest.raises(SettingsError, match="The cluster has 0 GPUs") as caught:
        model_spec(make(ScoreSettings, {**given, **more}), Model.of(policy))
    assert caught.value.where == "--ray-address head:6379"
    spec = model_spec(make(ScoreSettings, given), Model.of(policy))
    assert (spec.device, spec.dtype, spec.elsewhere) == ("cpu", "float32", True)
