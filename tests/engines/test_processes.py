from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from curate.engines.crew import Crew
from curate.engines.local import Window, keyed_schema, results, run
from curate.engines.processes import Processes
from curate.engines.worker import is_device_fault, portable
from curate.errors import MissingExtra, ModelError, SettingsError
from curate.scorers import ResponseItem, Shares
from curate.storage.shards import Shards
from tests.chat import user
from tests.engines.cubes import BATCH, Cubes, Unportable
from tests.engines.test_local import Told

TOTAL, WINDOW = 60, 20
TWO = ("cpu", "cpu")


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


def windows() -> Iterator[Window]:
    for start in range(0, TOTAL, WINDOW):
        yield (
            range(start, start + WINDOW),
            lambda start=start: [ResponseItem(k, user("q"), "") for k in range(start, start + WINDOW)],
        )


def measured(folder: Path) -> list[int]:
    """The first key of every batch whose numbers were made."""
    return sorted(int(key) for file in folder.glob("measured-*") for key in file.read_text().split())


def numbers_are_right(shards: Shards) -> None:
    keys = shards.read(keyed_schema(Cubes(Path()).schema))["key"].to_pylist()
    assert sorted(keys) == list(range(TOTAL))
    np.testing.assert_array_equal(results(Cubes(Path()), shards, TOTAL)["number"], np.arange(TOTAL) ** 3)


def nobody_is_left(folder: Path) -> bool:
    return not any(alive(int(file.name.removeprefix("opened-"))) for file in folder.glob("opened-*"))


def alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def test_several_processes_measure_every_item_once(tmp_path: Path, notes: Path) -> None:
    scorer, shards, told = Cubes(notes, together=3), Shards(tmp_path / "shards"), Told()
    assert isinstance(scorer, Shares)
    run(scorer, windows(), TOTAL, shards, told, ("cpu",) * 3)
    numbers_are_right(shards)
    assert measured(notes) == list(range(0, TOTAL, BATCH))
    assert len(list(notes.glob("opened-*"))) == 3
    assert not (notes / f"opened-{os.getpid()}").exists()
    assert (told.rows, told.tokens) == (TOTAL, sum(range(TOTAL)))
    assert told.notes == shards.notes() == [f"threads {max(1, (os.cpu_count() or 1) // 3)}"]
    assert nobody_is_left(notes)


def test_one_device_is_this_process(tmp_path: Path, notes: Path) -> None:
    run(Cubes(notes), windows(), TOTAL, Shards(tmp_path / "shards"), Told(), ("cpu",))
    assert [file.name for file in notes.glob("opened-*")] == [f"opened-{os.getpid()}"]


def test_the_longest_batch_of_a_window_goes_first_and_a_gpu_has_all_threads(notes: Path) -> None:
    crew = Crew(Cubes(notes), Processes(["cuda:5"]), print)
    assert crew.open() == ["threads None"]
    try:
        items = (read() for _, read in windows())
        firsts = [batch.keys[0] for batch in crew.measure(items, frozenset(range(16, 24)))]
    finally:
        crew.close()
    assert sorted(firsts) == [key for key in range(0, TOTAL, BATCH) if key not in (16, 20)]
    assert firsts[0] == 12, "the longest of the first window of which something is left"
    assert [key for key in firsts if key < WINDOW] == [12, 8, 4, 0]
    assert [key for key in firsts if key >= 40] == [56, 52, 48, 44, 40]


def test_a_worker_that_is_killed_changes_nothing(tmp_path: Path, notes: Path) -> None:
    shards = Shards(tmp_path / "shards")
    run(Cubes(notes, ends_at=25, ends=2), windows(), TOTAL, shards, Told(), TWO)
    numbers_are_right(shards)
    assert len(list(notes.glob("ended-*"))) == 2
    assert nobody_is_left(notes)


def test_a_batch_that_always_kills_is_named_and_the_rest_is_kept(tmp_path: Path, notes: Path) -> None:
    with pytest.raises(ModelError) as caught:
        run(Cubes(notes, ends_at=1, ends=9), windows(), TOTAL, Shards(tmp_path / "shards"), Told(), TWO)
    assert "3 times on the same batch (killed by SIGKILL)" in caught.value.what
    assert caught.value.where == "cubes, items 1, 2, 3, 4, counted from 1"
    assert "kept" in caught.value.hint
    assert len(list(notes.glob("ended-*"))) == 3
    assert nobody_is_left(notes)
    shards = Shards(tmp_path / "shards")
    kept = shards.read(keyed_schema(Cubes(notes).schema)).num_rows
    assert 0 < kept < TOTAL
    told = Told()
    run(Cubes(notes), windows(), TOTAL, shards, told)
    assert told.steps == [("cubes", TOTAL, kept)]
    numbers_are_right(shards)


@pytest.mark.parametrize(
    "error", [SettingsError("what", "where", "hint"), MissingExtra("ray", "ray"), ValueError("a defect")]
)
def test_what_a_worker_raises_comes_as_it_is(tmp_path: Path, notes: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        run(Cubes(notes, fails_at=9, error=error), windows(), TOTAL, Shards(tmp_path / "shards"), Told(), TWO)
    assert str(caught.value) == str(error)
    if isinstance(error, ValueError):
        assert "cubes.py" in caught.value.__notes__[0], "with the place where it happened"
    assert nobody_is_left(notes)


def test_an_error_that_cannot_travel_is_told() -> None:
    assert "onetwo" in str(pickle.loads(pickle.dumps(portable(Unportable("one", "two")))))


def test_a_device_fault_costs_a_process_not_the_run(tmp_path: Path, notes: Path) -> None:
    fault = RuntimeError("CUDA error: an illegal memory access was encountered\nmore")
    assert is_device_fault(fault)
    assert not is_device_fault(RuntimeError("CUDA out of memory"))
    shards = Shards(tmp_path / "shards")
    run(Cubes(notes, fails_at=9, error=fault), windows(), TOTAL, shards, Told(), TWO)
    numbers_are_right(shards)


def test_a_device_on_which_no_process_lives_is_left_out(tmp_path: Path, notes: Path) -> None:
    # One process opens on the good device, and three in turn on the bad one.
    scorer, shards, told = Cubes(notes, bad=("bad",), together=4), Shards(tmp_path / "shards"), Told()
    run(scorer, windows(), TOTAL, shards, told, ("cpu", "bad"))
    numbers_are_right(shards)
    assert len(list(notes.glob("opened-*"))) == 4


def test_no_process_that_lives_is_an_error(tmp_path: Path, notes: Path) -> None:
    told = Told()
    with pytest.raises(ModelError, match=r"3 times in a row \(killed by SIGKILL\), and no other is left"):
        run(Cubes(notes, bad=("bad",)), windows(), TOTAL, Shards(tmp_path / "shards"), told, ("bad", "bad"))
    assert ["the others continue without it" in note for note in told.notes] == [True]


def test_devices_that_would_cut_otherwise_are_refused(tmp_path: Path, notes: Path) -> None:
    with pytest.raises(ModelError, match="tokens of a batch"):
        run(Cubes(notes, together=2), windows(), TOTAL, Shards(tmp_path / "shards"), Told(), ("cpu", "odd"))
    assert nobody_is_left(notes)


# ---- stopping

PROGRAM = """
import os, time
from curate.backends.fake import FakeBackend
logps = FakeBackend.logps
def slow(self, *given):
    open(f"opened-{os.getpid()}", "w").close()
    time.sleep(0.05)
    return logps(self, *given)
FakeBackend.logps = slow
if __name__ == "__main__":
    from curate.cli import main
    main()
"""


def started(folder: Path, workers: int) -> subprocess.Popen[str]:
    rows = [f'{{"prompt": "p {i}", "chosen": "c {i}", "rejected": "r{i} {i}"}}\n' for i in range(150)]
    (folder / "d.jsonl").write_text("".join(rows))
    (folder / "slow.py").write_text(PROGRAM)
    words = ["score", "d.jsonl", "-o", "o.parquet", "--policy", "fake:1", "--batch-tokens", "40"]
    return subprocess.Popen(
        [sys.executable, "slow.py", *words, "--workers", str(workers)],
        cwd=folder,
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("number", "group", "code"),
    [(signal.SIGINT, True, 130), (signal.SIGTERM, False, 143), (signal.SIGKILL, False, -signal.SIGKILL)],
)
def test_a_run_that_is_stopped_leaves_no_process(tmp_path: Path, number: int, group: bool, code: int) -> None:
    running = started(tmp_path, 2)
    while len(list(tmp_path.glob("opened-*"))) < 2:
        assert running.poll() is None, running.communicate()
        time.sleep(0.01)
    (os.killpg if group else os.kill)(running.pid, number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == code
    assert "Traceback" not in said
    until = time.monotonic() + (20 if code < 0 else 0)
    while not nobody_is_left(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)
    assert nobody_is_left(tmp_path)
