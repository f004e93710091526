"""Runs that are killed, stopped or started again with something changed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import curate.storage.workspace
from curate.errors import CurateError, StoreError

from .helpers import candidate_rows, pair_rows, run_pair, run_score, run_select, write_jsonl

SLOW = """
import time
def score(batch):
    with open("calls.txt", "a") as file:
        file.write("called\\n")
    time.sleep(0.15)
    return [float(len(b["response"])) + 0.125 for b in batch]
"""
ROWS = 700


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    (folder / "slow_reward.py").write_text(SLOW)
    write_jsonl(folder / "d.jsonl", [*pair_rows(ROWS), "{broken"])
    write_jsonl(folder / "c.jsonl", candidate_rows(120))
    return folder


def command(name: str, data: str, out: str, *more: str) -> list[str]:
    reward = "python:slow_reward:score"
    return [
        sys.executable,
        "-c",
        "from curate.cli import main; main()",
        name,
        data,
        "-o",
        out,
        "--reward",
        reward,
        *more,
    ]


def start(words: list[str], cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(words, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_work(running: subprocess.Popen[str], work: Path) -> None:
    while not (work / "staged.json").exists():
        if running.poll() is not None:
            raise AssertionError(running.communicate()[1])
        time.sleep(0.01)


def wait_for_calls(running: subprocess.Popen[str], calls: Path, wanted: int) -> None:
    """Until the reward function was called so often: whatever it returned before is then in the run's hands."""
    while not calls.exists() or len(calls.read_text().splitlines()) < wanted:
        if running.poll() is not None:
            raise AssertionError(running.communicate()[1])
        time.sleep(0.005)


def uninterrupted(place: Path, name: str, data: str) -> bytes:
    """The bytes of a run that nothing stops."""
    folder = place / name
    if not folder.exists():
        folder.mkdir()
        done = subprocess.run(command(name, f"../{data}", "o.parquet"), cwd=_at(place, name), capture_output=True)
        assert done.returncode == 0, done.stderr
    return (folder / "o.parquet").read_bytes()


def _at(place: Path, name: str) -> Path:
    (place / name / "slow_reward.py").write_text(SLOW)
    return place / name


@pytest.mark.faults
@pytest.mark.parametrize(("name", "data"), [("score", "d.jsonl"), ("pair", "c.jsonl")])
def test_a_run_killed_at_random_points_ends_with_the_same_bytes(place, name, data):
    folder = place / f"killed_{name}"
    folder.mkdir()
    _at(place, folder.name)
    words = command(name, f"../{data}", "o.parquet")
    rng = random.Random(7)
    killed = 0
    for _ in range(3):
        running = start(words, folder)
        time.sleep(rng.uniform(0.3, 1.3))
        running.send_signal(signal.SIGKILL)
        running.communicate()
        killed += running.returncode == -signal.SIGKILL
    assert killed
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (folder / "o.parquet").read_bytes() == uninterrupted(place, name, data)
    assert not list(folder.glob("*.work"))


def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(place):
    folder = place / "stopped"
    folder.mkdir()
    _at(place, "stopped")
    words = command("score", "../d.jsonl", "o.parquet")
    running = start(words, folder)
    wait_for_calls(running, folder / "calls.txt", 2)
    running.send_signal(signal.SIGINT)
    _, error = running.communicate()
    assert running.returncode == 130
    assert "Traceback" not in error
    assert "same command" in error
    assert not (folder / "o.parquet").exists()
    assert list((folder / "o.parquet.work").glob("reward.*/shard-*.parquet")), "what was measured is kept"
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "were measured before" in done.stderr
    assert (folder / "o.parquet").read_bytes() == uninterrupted(place, "score", "d.jsonl")


def stopped_run(monkeypatch, tmp_path, **more):
    """A score run that dies at the writing of its output."""
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())

    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("curate.writers.rejects_file.write_output", dies)
        with pytest.raises(KeyboardInterrupt):
            run_score(data, tmp_path / "s.parquet", **more)
    return data


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        ({"policy": "fake:1"}, {"policy": "fake:9"}, ("fake:1", "fake:9")),
        ({"policy": "fake:1"}, {"policy": "fake:1", "max_length": 20}, ("max_length", "20")),
        ({"set_": ["dcrm.eps=0.5"]}, {"set_": ["dcrm.eps=0.25"]}, ("eps", "0.5", "0.25")),
        ({"reward": ("fake:3",)}, {"reward": ("fake:4",)}, ("fake:3", "fake:4")),
    ],
)
def test_changed_settings_are_refused_showing_the_difference(monkeypatch, tmp_path, first, second, shown):
    data = stopped_run(monkeypatch, tmp_path, **first)
    with pytest.raises(StoreError, match="other settings") as caught:
        run_score(data, tmp_path / "s.parquet", **second)
    assert all(word in str(caught.value) for word in shown), str(caught.value)
    assert "--fresh" in caught.value.hint
    assert not (tmp_path / "s.parquet").exists()


def test_more_patience_with_a_server_resumes(monkeypatch, tmp_path):
    data = stopped_run(monkeypatch, tmp_path, policy="fake:1")
    run_score(data, tmp_path / "s.parquet", policy="fake:1", server_timeout=500)
    run_score(data, tmp_path / "whole.parquet", policy="fake:1")
    assert (tmp_path / "s.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.parametrize("years", [-20, 20])
def test_a_clock_that_jumps_between_two_runs_changes_nothing(monkeypatch, tmp_path, years):
    """The first run's files are dated `years` from now."""
    data = stopped_run(monkeypatch, tmp_path, policy="fake:1")
    then = time.time() + years * 365 * 86400
    for path in (data, *(tmp_path / "s.parquet.work").rglob("*")):
        os.utime(path, (then, then))
    with monkeypatch.context() as patched:
        patched.setattr("curate.backends.fake.FakeBackend.logps", _measured_twice)
        run_score(data, tmp_path / "s.parquet", policy="fake:1")
    run_score(data, tmp_path / "whole.parquet", policy="fake:1")
    assert (tmp_path / "s.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def _measured_twice(*_: object) -> None:
    raise AssertionError("measured twice")


def test_changed_data_is_refused(monkeypatch, tmp_path):
    data = stopped_run(monkeypatch, tmp_path)
    write_jsonl(data, pair_rows(13))
    with pytest.raises(StoreError, match="inputs"):
        run_score(data, tmp_path / "s.parquet")


def test_fresh_starts_over(monkeypatch, tmp_path):
    data = stopped_run(monkeypatch, tmp_path, policy="fake:1")
    run_score(data, tmp_path / "s.parquet", policy="fake:9", fresh=True)
    run_score(data, tmp_path / "other.parquet", policy="fake:9")
    assert (tmp_path / "s.parquet").read_bytes() == (tmp_path / "other.parquet").read_bytes()
    assert not (tmp_path / "s.parquet.work").exists()


def test_select_does_not_throw_away_the_unfinished_work_of_another_command(monkeypatch, tmp_path):
    data = stopped_run(monkeypatch, tmp_path, policy="fake:1")
    shards = sorted((tmp_path / "s.parquet.work").rglob("shard-*.parquet"))
    assert shards
    run_select(data, tmp_path / "s.parquet", by="score_chosen", top="3")
    assert all(path.exists() for path in shards)


def test_a_failing_run_leaves_the_earlier_output_alone(monkeypatch, tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "s.parquet")
    before = (tmp_path / "s.parquet").read_bytes()
    stopped_run(monkeypatch, tmp_path, policy="fake:1")
    assert (tmp_path / "s.parquet").read_bytes() == before


@pytest.mark.parametrize("gone", ["rows", "records", "edit", "identity.json", "staged.json"])
def test_a_run_killed_while_it_tidies_up_can_be_given_again(monkeypatch, tmp_path, gone):
    """`finish` removes a folder entry by entry, in whatever order the file system has them; but under another name."""
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    real = curate.storage.workspace.shutil.rmtree

    def dies(path, *rest, **more):
        if Path(path).name != ".s.parquet.work.done":
            return real(path, *rest, **more)
        victim = Path(path) / gone
        real(victim) if victim.is_dir() else victim.unlink(missing_ok=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(curate.storage.workspace.shutil, "rmtree", dies)
        with pytest.raises(KeyboardInterrupt):
            run_score(data, tmp_path / "s.parquet")
    result = run_score(data, tmp_path / "s.parquet")
    run_score(data, tmp_path / "whole.parquet")
    assert result.rows == 12
    assert (tmp_path / "s.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_two_runs_of_one_output_exclude_each_other(place):
    folder = place / "twice"
    folder.mkdir()
    # slow enough that the second command always comes while the first one runs
    (folder / "slow_reward.py").write_text(SLOW.replace("0.15", "5"))
    words = command("score", "../d.jsonl", "o.parquet")
    first = start(words, folder)
    wait_for_work(first, folder / "o.parquet.work")
    second = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert "Another run" in second.stderr


def test_the_advice_when_no_prompt_yields_a_pair_can_be_followed(tmp_path):
    data = write_jsonl(tmp_path / "c.jsonl", [{"prompt": "p", "responses": ["a", "b"], "rewards": [1.0, 2.0]}])
    with pytest.raises(CurateError, match="No prompt yields a pair"):
        run_pair(data, tmp_path / "p.parquet", min_margin=100.0)
    assert run_pair(data, tmp_path / "p.parquet", min_margin=0.5).pairs == 1


@pytest.mark.parametrize("kind", ["pairs", "responses", "generations"])
@pytest.mark.parametrize("job", ["score", "pair"])
def test_stopped_behind_the_reading_of_few_rows(job, kind, tmp_path, monkeypatch):
    """What is read anew from the disk then is what an unbroken run still holds in memory."""
    rows = pair_rows(30) if kind == "pairs" else candidate_rows(30)
    if kind == "generations":
        rows = [{"prompt": r["prompt"], "generations": r["responses"], "scores": r["rewards"]} for r in rows]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    run = {"score": run_score, "pair": run_pair}[job]
    with monkeypatch.context() as patched:
        patched.setattr(f"curate.jobs.{job}.measure_responses", lambda *_: exit("stopped"))
        with pytest.raises(SystemExit):
            run(data, tmp_path / "broken.parquet")
    assert (tmp_path / "broken.parquet.work" / "staged.json").exists()
    run(data, tmp_path / "broken.parquet")
    run(data, tmp_path / "whole.parquet")
    assert (tmp_path / "broken.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
