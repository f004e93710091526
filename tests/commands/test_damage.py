"""Unfinished work of which something was damaged, lost or exchanged: measured again, with a note."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from curate.jobs.generate import generate
from curate.jobs.pair import pair
from curate.jobs.score import score
from curate.progress import Silent
from curate.settings import GenerateSettings, PairSettings, ScoreSettings, make
from curate.storage.sealed import SHARD

from .helpers import MODELS, candidate_rows, pair_rows, prompt_rows, write_jsonl

OUT = "o.parquet"
PLACES = (0.0, 0.35, 1.0)
"""Where a bit is turned, as a share of the file: in one file here, in the next one there."""


class Told(Silent):
    """Remembers the notes; interrupts the run at its nth step forward, if it is to."""

    def __init__(self, left: int | None = None) -> None:
        self.left, self.notes = left, list[str]()

    def advance(self, rows: int, tokens: int = 0) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass(frozen=True)
class Job:
    """A command on some data in a folder, and at which step forward it is interrupted when most is measured."""

    run: Callable[..., Any]
    kind: Any
    rows: list[Any]
    more: dict[str, Any]
    stop: int

    def __call__(self, folder: Path, told: Told) -> None:
        data = write_jsonl(folder / "d.jsonl", [*self.rows, "{broken"])
        self.run(make(self.kind, {"data": (str(data),), "out": folder / OUT, **self.more}), told)


JOBS = {
    "score": Job(score, ScoreSettings, pair_rows(14), {**MODELS, "batch_tokens": 40}, 38),
    "pair": Job(pair, PairSettings, candidate_rows(12), {**MODELS, "batch_tokens": 60}, 25),
    "generate": Job(
        generate,
        GenerateSettings,
        prompt_rows(10),
        {"policy": ("fake:1", "fake:2"), "samples": 2, "batch_tokens": 1200},
        15,
    ),
}
LATE = [(name, job.stop) for name, job in JOBS.items()]


@pytest.fixture(autouse=True)
def _many_small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.engines.local.FLUSH_ROWS", 8)
    monkeypatch.setattr("curate.responses.stage.CHUNK_ROWS", 8)
    monkeypatch.setattr("curate.responses.pools.CHUNK_SLOTS", 16)


def whole(name: str, folder: Path) -> bytes:
    """What the job writes when nothing happens."""
    folder.mkdir()
    JOBS[name](folder, Told())
    return (folder / OUT).read_bytes()


def interrupted(name: str, stop: int, folder: Path) -> Path:
    """A folder with the job's unfinished work."""
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        JOBS[name](folder, Told(stop))
    return folder


def files_of(folder: Path) -> list[Path]:
    """The files of the unfinished work, relative to the folder."""
    found = sorted(path for path in (folder / f"{OUT}.work").rglob("*") if path.is_file() and path.name != "lock")
    assert len({path.parent for path in found}) > 4
    return [path.relative_to(folder) for path in found]


def again(name: str, folder: Path, copy: Path, harm: Callable[[Path], None]) -> tuple[bytes, list[str]]:
    """The output and the notes of the job given again after some harm to a copy of its folder."""
    shutil.copytree(folder, copy)
    harm(copy)
    told = Told()
    JOBS[name](copy, told)
    found = (copy / OUT).read_bytes()
    assert not (copy / f"{OUT}.work").exists()
    shutil.rmtree(copy)
    return found, [note for note in told.notes if "unfinished work" in note]


def one_each(paths: list[Path]) -> list[Path]:
    """The second file of each folder, or its only one."""
    return [sorted(found)[:2][-1] for _, found in groupby(paths, key=lambda path: path.parent)]


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


@pytest.mark.parametrize(("name", "stop"), [pytest.param("score", 9, marks=pytest.mark.faults), *LATE])
def test_a_flipped_bit_in_any_file_changes_nothing_and_is_said(name, stop, tmp_path):
    wanted = whole(name, tmp_path / "whole")
    folder = interrupted(name, stop, tmp_path / "stopped")
    for i, path in enumerate(files_of(folder)):
        # That each bit of a file counts is seen in tests/storage/test_sealed.py; here, that each file is looked at.
        bit = int(PLACES[i % 3] * ((folder / path).stat().st_size - 1)) * 8 + i % 8
        found, notes = again(name, folder, tmp_path / "copy", lambda at, p=path, b=bit: flip(at / p, b))
        assert found == wanted, f"{path}, bit {bit}"
        assert len(notes) == 1, f"{path}, bit {bit}: {notes}"
        assert {path.parent.name, path.name} & set(notes[0].replace("/", " ").split())


@pytest.mark.parametrize(("name", "stop"), LATE)
def test_a_file_that_is_cut_short_or_empty_or_lost_changes_nothing(name, stop, tmp_path):
    wanted = whole(name, tmp_path / "whole")
    folder = interrupted(name, stop, tmp_path / "stopped")

    def half(path: Path) -> None:
        os.truncate(path, path.stat().st_size // 2)

    harms = (half, lambda p: p.write_bytes(b""), Path.unlink)
    for i, path in enumerate(one_each(files_of(folder))):
        # Each file suffers each harm in a score; elsewhere one file suffers this and the next one that.
        for harm in harms if name == "score" else harms[i % 3 :][:1]:
            found, notes = again(name, folder, tmp_path / "copy", lambda at, p=path, h=harm: h(at / p))
            assert found == wanted, path
            assert notes or harm is Path.unlink, path


@pytest.mark.parametrize(
    ("name", "stop"), [pytest.param(*late, marks=[pytest.mark.faults] if late[0] == "pair" else []) for late in LATE]
)
def test_shards_that_changed_places_or_come_from_another_run_are_made_again(name, stop, tmp_path):
    wanted = whole(name, tmp_path / "whole")
    folder = interrupted(name, stop, tmp_path / "stopped")
    job = JOBS[name]
    changed = {"policy": "fake:7"} if "reference" in job.more else {"seed": 5}
    JOBS["other"] = Job(job.run, job.kind, job.rows[1:], {**job.more, **changed}, stop // 2)
    other = interrupted("other", JOBS["other"].stop, tmp_path / "other")
    shards = [path for path in files_of(folder) if SHARD.fullmatch(path.name)]
    numbered = {path: int(SHARD.fullmatch(path.name)[1]) for path in shards}

    def swap(at: Path, one: Path, two: Path) -> None:
        contents = [(at / path).read_bytes() for path in (one, two)]
        (at / two).write_bytes(contents[0])
        (at / one).write_bytes(contents[1])

    def rename(at: Path, one: Path, two: Path) -> None:
        names = [path.with_name(path.name.replace(f"-{numbered[path]:08d}-", "-{:08d}-")) for path in (one, two)]
        (at / one).rename(at / str(names[0]).format(numbered[two]))
        (at / two).rename(at / str(names[1]).format(numbered[one]))

    pairs = [(one, two) for one, two in pairwise(shards) if one.parent == two.parent][::2]
    pairs += [(one, two) for one, two in pairwise(shards) if one.parent != two.parent]
    for one, two in pairs:
        for harm in (swap, *([rename] if one.parent == two.parent else [])):
            found, notes = again(name, folder, tmp_path / "copy", lambda at, h=harm, o=one, t=two: h(at, o, t))
            assert found == wanted, (one, two)
            assert notes, (one, two)
    for path in one_each([path for path in files_of(other) if SHARD.fullmatch(path.name)]):
        found, notes = again(
            name, folder, tmp_path / "copy", lambda at, p=path: (at / p).write_bytes((other / p).read_bytes())
        )
        assert found == wanted, path
        assert notes, path
    del JOBS["other"]


def test_damage_costs_only_what_was_damaged(tmp_path, monkeypatch):
    folder = interrupted("score", 38, tmp_path / "stopped")
    from curate.backends.fake import FakeBackend

    asked: list[int] = []
    real = FakeBackend.logps
    monkeypatch.setattr(FakeBackend, "logps", lambda self, batch: asked.append(len(batch)) or real(self, batch))
    shutil.copytree(folder, tmp_path / "sound")
    JOBS["score"](tmp_path / "sound", Told())
    sound = sum(asked)
    asked.clear()
    victim = next(path for path in files_of(folder) if path.parent.name == "policy" and SHARD.fullmatch(path.name))
    flip(folder / victim, 4000)
    JOBS["score"](folder, Told())
    assert 0 < sum(asked) - sound <= 10, "only what the damaged shard held is measured again"


def test_damage_to_what_was_read_leaves_what_was_measured(tmp_path, monkeypatch):
    folder = interrupted("score", 38, tmp_path / "stopped")
    shards = [path for path in files_of(folder) if SHARD.fullmatch(path.name)]
    measured = {path for path in shards if path.parent.name in ("policy", "reference")}
    assert len(measured) > 4
    for victim in ("identity.json", "identity-copy.json", "staged.json"):
        flip(folder / f"{OUT}.work" / victim, 4)

    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("curate.jobs.score_table.measure_pairs", stopped)  # behind the models, before the folder goes
    before = {path: (folder / path).stat().st_mtime_ns for path in measured}
    with pytest.raises(KeyboardInterrupt):
        JOBS["score"](folder, Told())
    assert {path: (folder / path).stat().st_mtime_ns for path in measured} == before
