"""Disturbs every command at its calls of the file system, runs it again, and compares with an undisturbed run.

    python -m tests.kills.sweep [--sample N] kill|term|int|full|locked|gone[:NAME,NAME...] ...

A call is anything that changes a name or makes a file durable below the working folder: opening for writing, renaming,
removing, making and removing folders, fsync. At call k the process is killed (`kill`), told to stop by a signal (`term`
and `int`), the disk is full (`full`), nothing may be written any more (`locked`), or the output's folder is deleted
(`gone`). Every run is a fork of a process that has imported everything and run nothing.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curate.cli import main
from curate.demo.world import make_pairs, make_prompts
from curate.jobs import export, generate, pair, report, score, select, weigh  # noqa: F401
from curate.recipes import preview, run  # noqa: F401
from curate.selection import where  # noqa: F401
from curate.storage import placing

EVENTS = frozenset(("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"))
PATIENCE = 120
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}
ERRORS = {"full": errno.ENOSPC, "locked": errno.EROFS}
MODES = (*SIGNALS, *ERRORS, "gone")
MODELS = ["--policy", "fake:1", "--reference", "fake:2", "--reward", "fake:3"]
RECIPE = """\
name: small
about: Every step.
inputs:
  data: in/d.jsonl
steps:
  - run: score
    with: {data: '${inputs.data}', reward: 'fake:3', policy: 'fake:1', reference: 'fake:2'}
  - run: select
    with: {data: '${steps.score}', by: bees, top: 60%, where: chosen_tokens > 0}
  - run: weigh
    with: {data: '${steps.select}', method: gamma-po}
  - run: export
    with: {data: '${steps.weigh}', to: trl}
"""


@dataclass(frozen=True)
class Case:
    """A command, and what makes an earlier output in its place.

    Attributes:
        name: of the case.
        command: the arguments; the output is below `out/`.
        earlier: the same for an earlier output; none where nothing is in the place.
        outputs: what must be whole at any time.
    """

    name: str
    command: list[str]
    earlier: list[str] | None
    outputs: tuple[str, ...]


def _cases() -> Iterator[Case]:
    found = {
        "select": ["select", "in/s.parquet", "--by", "dcrm", "--top", "50%", "--left-out", "out/no.parquet"],
        "weigh": ["weigh", "in/s.parquet", "--method", "gamma-po"],
        "score": ["score", "in/d.jsonl", *MODELS],
        "pair": ["pair", "in/c.jsonl", *MODELS],
        "generate": ["generate", "in/p.jsonl", "--policy", "fake:1", "-n", "3", "--max-tokens", "8"],
    }
    others = {
        "select": ["select", "in/s.parquet", "--by", "dcrm", "--top", "20%", "--left-out", "out/no.parquet"],
        "weigh": ["weigh", "in/s.parquet", "--method", "repo"],
        "score": ["score", "in/e.jsonl"],
        "pair": ["pair", "in/c.jsonl", "--reward", "fake:9"],
        "generate": ["generate", "in/p.jsonl", "--policy", "fake:2", "--max-tokens", "4"],
    }
    for name, command in found.items():
        for out in ("out/o.parquet", "out/o"):
            shape = "file" if out.endswith(".parquet") else "folder"
            yield Case(f"{name}-{shape}", [*command, "-o", out], [*others[name], "-o", out], (out,))
        yield Case(f"{name}-new", [*command, "-o", "out/deep/o.parquet"], None, ("out/deep/o.parquet",))
    sharing = ["score", "in/d.jsonl", *MODELS, "--shard"]
    yield Case(
        "shard-file",
        [*sharing, "1/2", "-o", "out/o.parquet"],
        [*sharing, "2/2", "-o", "out/o.parquet"],
        ("out/o.parquet",),
    )
    merging, out = ["merge", "in/shard-1.parquet", "in/shard-2.parquet", "-o"], "out/o.parquet"
    yield Case(
        "merge-file", [*merging, out], ["select", "in/s.parquet", "--top", "5", "--by", "dcrm", "-o", out], (out,)
    )
    yield Case("merge-new", [*merging, "out/deep/o.parquet"], None, ("out/deep/o.parquet",))
    exporting = ["export", "in/d.jsonl", "-o", "out/o", "--to"]
    yield Case("export-folder", [*exporting, "trl"], [*exporting, "llamafactory"], ("out/o",))
    yield Case("export-new", [*exporting, "llamafactory"], None, ("out/o",))
    page = ["report", "in/s.parquet", "-o", "out/r.html"]
    yield Case("report-file", page, [*page, "--by", "dpo_margin"], ("out/r.html",))
    yield Case("report-new", ["report", "in/s.parquet", "-o", "out/deep/r.html"], None, ("out/deep/r.html",))
    running = ["run", "in/small.yaml", "-o", "out/r"]
    steps = ("out/r/01-score.parquet", "out/r/02-select.parquet", "out/r/03-weigh.parquet", "out/r/04-export")
    yield Case("run-new", running, None, steps)
    yield Case("run-folder", running, [*running, "--set", "select.top=30%"], steps)


def prepare(folder: Path) -> None:
    """The inputs, in `in/`: pairs with a broken row, prompts, candidates, a scored table, a recipe."""
    data = folder / "in"
    data.mkdir()
    (folder / "out").mkdir()
    for name, seed in (("d", 1), ("e", 2)):
        rows = list(make_pairs(12, seed))
        bad = {key: value for key, value in rows[0].items() if key != "rejected"}
        (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows[:4], bad, *rows[4:]]))
    prompts = list(make_prompts(6, 3))
    (data / "p.jsonl").write_text("".join(json.dumps({"prompt": one}) + "\n" for one in prompts) + '{"prompt": 3}\n')
    lists = [{"prompt": one, "responses": [f"{one} {word}" for word in ("a b", "c", "a b c d")]} for one in prompts]
    (data / "c.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lists) + '{"prompt": "p"}\n')
    (data / "small.yaml").write_text(RECIPE)
    for more in (["in/s.parquet"], ["in/shard-1.parquet", "--shard", "1/2"], ["in/shard-2.parquet", "--shard", "2/2"]):
        ended, said = forked(folder, ["score", "in/d.jsonl", *MODELS, "-o", *more], lambda: None)
        assert ended == 0, said


def forked(folder: Path, command: list[str], disturb: Callable[[], None]) -> tuple[int, str]:
    """Run a command in a fork; returns the exit code (negative: the signal) and what it said on stderr."""
    said = folder.with_suffix(".said")
    child = os.fork()
    if child == 0:
        _be_curate(folder, command, disturb, said)
    ended, code = False, 0
    previous = signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(PATIENCE)
    try:
        while not ended:
            _, status = os.waitpid(child, 0)
            ended, code = True, os.waitstatus_to_exitcode(status)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    return code, said.read_text()


def _be_curate(folder: Path, command: list[str], disturb: Callable[[], None], said: Path) -> None:
    code: Any = 1
    try:
        os.chdir(folder)
        with said.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.argv = ["curate", *command, "-q"]
        disturb()
        main()
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


class Disturbance:
    """Counts the calls of the process that installs it, and disturbs one of them."""

    def __init__(self, at: int, mode: str, folder: Path) -> None:
        self.at, self.mode, self.folder, self.count = at, mode, folder, 0

    def __call__(self) -> None:
        """Start counting; goes on until the process ends."""
        os.fsync = self._counted(lambda number: None)  # what a killed process wrote is kept without it
        placing.exchange = self._counted(placing.exchange)
        end = os._exit

        def leave(code: int) -> None:
            if self.mode == "count":
                self.folder.with_suffix(".count").write_text(str(self.count))
            end(code)

        os._exit = leave  # type: ignore[assignment]
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS and _changes(event, arguments, self.folder):
            self._call()

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*given: Any) -> Any:
            self._call()
            return real(*given)

        return instead

    def _call(self) -> None:
        self.count += 1
        if self.count != self.at and not (self.mode == "locked" and self.count > self.at):
            return
        if self.mode in SIGNALS:
            os.kill(os.getpid(), SIGNALS[self.mode])
        elif self.mode in ERRORS:
            raise OSError(ERRORS[self.mode], os.strerror(ERRORS[self.mode]))
        else:
            shutil.rmtree(self.folder / "out", ignore_errors=True)


def _changes(event: str, arguments: tuple[Any, ...], folder: Path) -> bool:
    path = arguments[0]
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        if isinstance(path, int) or not (set(mode or "") & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR)):
            return False
    elif event != "os.rename" and arguments[-1] != -1:
        return True  # within a folder that is being removed
    text = os.fsdecode(path)
    return not text.startswith("/") or text.startswith(str(folder))


def tree(folder: Path) -> dict[str, str]:
    """Every name below a folder, and a hash of every file."""
    found = {}
    for one in sorted(folder.rglob("*")):
        found[str(one.relative_to(folder))] = hashlib.sha256(one.read_bytes()).hexdigest() if one.is_file() else ""
    return found


def part(of: dict[str, str], name: str) -> dict[str, str]:
    """What of a tree is at a path or below it."""
    return {key: value for key, value in of.items() if key == name or key.startswith(f"{name}/")}


def copy(source: Path, target: Path) -> Path:
    """A fresh copy of a folder."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


def sweep(case: Case, base: Path, mode: str, sample: int) -> tuple[int, list[str]]:
    """The number of disturbed runs of a case, and what was wrong with them."""
    start = copy(base, base.parent / "start")
    if case.earlier is not None:
        ended, said = forked(start, case.earlier, lambda: None)
        assert ended == 0, said
    done = copy(start, base.parent / "work")
    ended, said = forked(done, case.command, Disturbance(0, "count", done))
    assert ended == 0, said
    calls, before, after = int(done.with_suffix(".count").read_text()), tree(start), tree(done)
    again, _ = forked(done, case.command, lambda: None)
    faults = [] if (again, tree(done)) == (0, after) else ["the same command again changes something"]
    # A sample is the middle of each of as many parts.
    parts = min(sample, calls) or calls
    numbers = [calls * (2 * part + 1) // (2 * parts) + 1 for part in range(parts)]
    for at in numbers:
        work = copy(start, done)
        ended, said = forked(work, case.command, Disturbance(at, mode, work))
        faults += [f"call {at}: {one}" for one in _faults(case, mode, work, ended, said, before, after)]
    return len(numbers), faults


def _as_promised(mode: str, ended: int, lines: int) -> bool:
    """Whether a disturbed run ended as users are told; it may also have been done before it was disturbed."""
    if mode == "gone":
        return ended == 0 or (ended == 2 and lines == 3)
    if mode in ERRORS:
        return ended == 0 or (ended == 2 and lines >= 3)
    if mode == "kill":
        return ended in (0, -signal.SIGKILL)
    return ended == 0 or (ended == 128 + SIGNALS[mode] and lines == 1)


def _faults(
    case: Case, mode: str, work: Path, ended: int, said: str, before: dict[str, str], after: dict[str, str]
) -> Iterator[str]:
    if not _as_promised(mode, ended, len(said.strip().splitlines())):
        yield f"exit {ended}: {said[-300:]!r}"
    if mode == "gone":
        return
    now = tree(work)
    for name in case.outputs:
        if part(now, name) not in (part(before, name), part(after, name)):
            yield f"{name} is neither what it was nor what it will be"
    ended, said = forked(work, case.command, lambda: None)
    if ended != 0:
        yield f"run again: exit {ended}: {said[-300:]!r}"
        return
    now = tree(work)
    for name in sorted(now.keys() | after.keys()):
        if now.get(name) != after.get(name):
            how = "left" if name not in after else "missing" if name not in now else "other"
            yield f"after another run {name} is {how}"


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run_all(modes: list[tuple[str, list[str]]], sample: int) -> int:
    """Sweep over the cases of each mode; prints a line for each, and returns how many faults there were."""
    bad = 0
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        base = Path(folder).resolve() / "base"
        base.mkdir()
        prepare(base)
        assert pq  # imported before any fork
        for mode, names in modes:
            total = faulty = 0
            for case in _cases():
                if names and not any(case.name.startswith(name) for name in names):
                    continue
                runs, faults = sweep(case, base, mode, sample)
                total, faulty = total + runs, faulty + len(faults)
                say(f"{case.name}: {runs} runs disturbed, {len(faults)} faults")
                for fault in faults:
                    say(f"  {fault}")
            say(f"{mode}: {total} runs disturbed, {faulty} faults")
            bad += faulty
    return bad


def _mode(text: str) -> tuple[str, list[str]]:
    mode, _, names = text.partition(":")
    if mode not in MODES:
        raise argparse.ArgumentTypeError(f"{mode} is none of {', '.join(MODES)}")
    return mode, [name for name in names.split(",") if name]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="calls of each case; all by default")
    parser.add_argument("modes", nargs="+", type=_mode, help="a mode, and the beginnings of the names of its cases")
    given = parser.parse_args()
    sys.exit(bool(run_all(given.modes, given.sample)))
