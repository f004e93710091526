"""`curate run`: run the steps of a recipe one after another; the same command resumes an interrupted run.

The output folder contains each step's output (`01-score.parquet`, ...), `run.json`, which says how each was made, and
`run.work` until all are finished.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from curate.errors import CurateError, StoreError
from curate.metrics.catalogue import using
from curate.plan.template_date import DATE
from curate.progress import Reporter
from curate.readers.files.streams import fingerprint
from curate.recipes.check import Prepared
from curate.recipes.page import shown_in, write_page_of
from curate.recipes.resolve import Step
from curate.storage.disk import disk_errors, write_bytes
from curate.storage.places import Kind, Place, check_place
from curate.storage.placing import held
from curate.storage.sealed import HASH, Seal
from curate.storage.workspace import Workspace, discard_work, held_identity, is_work
from curate.version import __version__
from curate.writers.parquet import has_manifest

RECORD, WORK = "run.json", "run"
BEGUN = "begun"


@dataclass(frozen=True)
class StepResult:
    """One step.

    Attributes:
        name: what the recipe calls it.
        command: the command it ran.
        out: its output.
        result: what the command returned; None if the output existed before.
    """

    name: str
    command: str
    out: Path
    result: Any | None


@dataclass(frozen=True)
class RunResult:
    """What a run of `curate run` did.

    Attributes:
        recipe: the recipe's name.
        out: the output folder.
        steps: in order.
        final: the last step's output.
        report: the page that was asked for; None without one.
    """

    recipe: str
    out: Path
    steps: tuple[StepResult, ...]
    final: Path
    report: Path | None = None


def run(
    prepared: Prepared,
    reporter: Reporter,
    *,
    fresh: bool = False,
    on_step: Callable[[StepResult], None] = lambda _: None,
    page: Path | None = None,
) -> RunResult:
    """Run the steps that are not finished yet.

    Args:
        prepared: the recipe, checked.
        reporter: shown the progress.
        fresh: run every step again.
        on_step: called with every step when it is finished.
        page: also write a page on the last step that selects or pairs.

    Raises:
        CurateError: anything that the user can fix; finished steps are kept, and not repeated after the fix.
    """
    out = prepared.out
    check_place(Place(out, RUN))
    shown = None if page is None else shown_in(page, prepared.steps)
    if not fresh:
        check_recipe(out, prepared.file.recipe.name)
    existed = out.exists()
    try:
        with Workspace(out / WORK, prepared.identity(), fresh=fresh, note=reporter.note) as workspace:
            if fresh:
                _forget(prepared)
            record = Record(prepared, reporter)
            done = tuple(_step(step, prepared, record, workspace, reporter, on_step) for step in prepared.steps)
            workspace.finish()
    except CurateError:
        if not existed:
            # The disk that caused the error may refuse this too; what stays is a folder with nothing in it.
            with suppress(OSError):
                _remove_if_bare(out)
        raise
    written = None if shown is None else write_page_of(shown, reporter)
    return RunResult(prepared.file.recipe.name, out, done, done[-1].out, written)


def day_of(out: Path) -> date | None:
    """The date that chat templates print in this folder's run; None if they print none, or there is no run."""
    held = [found for found in (held_identity(out / WORK), _read(out / RECORD)) if found and DATE in found]
    return date.fromisoformat(held[0][DATE]) if held else None


def check_recipe(out: Path, recipe: str) -> None:
    """Refuse a folder that contains another recipe's run.

    Raises:
        StoreError: it does.
    """
    held = _read(out / RECORD).get("recipe", recipe)
    if held != recipe:
        raise StoreError(
            f"The output folder contains a run of the recipe {held}.",
            str(out),
            "Choose another place with -o, or add --fresh to start over here.",
        )


def _check_name(out: Path) -> None:
    if out.suffix == ".parquet" or (out.exists() and not out.is_dir()):
        raise StoreError("The output of a run is a folder.", str(out), "Name a new folder.")


def _foreign(out: Path) -> str | None:
    entries = sorted(out.iterdir())
    known = {"recipe", "steps"} <= _read(out / RECORD).keys() or is_work(out / WORK)
    ours = known or not entries or any(one.match("[0-9][0-9]-*.parquet") and has_manifest(one) for one in entries)
    return None if ours else entries[0].name


RUN = Kind(_check_name, _foreign, stays=True)
"""The folder of a run."""


def _step(
    step: Step,
    prepared: Prepared,
    record: Record,
    workspace: Workspace,
    reporter: Reporter,
    on_step: Callable[[StepResult], None],
) -> StepResult:
    key = prepared.keys[step.name]
    title = f"step {step.number} of {len(prepared.steps)}, {step.name}"
    result = None
    if record.has(step, key) or _was_finished(step, key, workspace):
        with held([step.out]):
            discard_work(step.out)
        reporter.note(f"{title}: done before, {step.out.name}")
    else:
        reporter.note(title)
        workspace.put_document(BEGUN, {"key": key, "before": _signature(step.out)})
        try:
            with using(step.catalogue):
                result = step.job.run(step.settings, reporter)
        except CurateError as error:
            step.place.add_to(error)
            raise
    record.put(step, key)
    found = StepResult(step.name, step.job.name, step.out, result)
    on_step(found)
    return found


def _was_finished(step: Step, key: str, workspace: Workspace) -> bool:
    """Whether the step's output was put in place before the interruption, but not yet recorded."""
    begun = workspace.document(BEGUN)
    now = _signature(step.out)
    return begun is not None and begun["key"] == key and now is not None and now != begun["before"]


def _signature(path: Path) -> list[int] | None:
    """Changes whenever something else is put at this path."""
    if not path.exists():
        return None
    found = path.stat()
    return [found.st_ino, found.st_mtime_ns, found.st_size if path.is_file() else 0]


class Record:
    """`run.json`: how each output in the folder was made, and its state then."""

    def __init__(self, prepared: Prepared, reporter: Reporter) -> None:
        self._path = prepared.out / RECORD
        self._prepared = prepared
        held = _read(self._path)
        if not held and self._path.exists():
            reporter.note(f"{RECORD} failed its checksum; the steps run again.")
        self._steps: dict[str, Any] = {step["name"]: step for step in held.get("steps", [])}

    def has(self, step: Step, key: str) -> bool:
        """Whether the step's output exists, made with the same settings from the same data.

        Raises:
            StoreError: it has changed since.
        """
        held = self._steps.get(step.name)
        if held is None or held["key"] != key or not step.out.exists():
            return False
        if held["output"] != _fingerprints(step.out):
            raise StoreError(
                f"The output of the step {step.name} has changed since it was written.",
                str(step.out),
                "Move it away to write it again, or choose another place with -o.",
            )
        return True

    def put(self, step: Step, key: str) -> None:
        """Record that the step's output exists."""
        held = self._steps.get(step.name)
        if held is not None and held["key"] == key and held["output"] == _fingerprints(step.out):
            return
        facts = self._prepared.facts[step.name]
        output = _fingerprints(step.out)
        self._steps[step.name] = {"name": step.name, "out": step.out.name, "key": key, "output": output, **facts}
        self._write()

    def _write(self) -> None:
        recipe = self._prepared.file.recipe
        listed = [self._steps[step.name] for step in self._prepared.steps if step.name in self._steps]
        content = {
            "recipe": recipe.name,
            "paper": recipe.paper.model_dump() if recipe.paper else None,
            "version": __version__,
            "steps": listed,
            **self._prepared.date(),
        }
        text = json.dumps({**content, HASH: _hash(content)}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        write_bytes(text.encode(), self._path)


def _read(path: Path) -> dict[str, Any]:
    """What an earlier run recorded; nothing if it is damaged: no step then counts as done."""
    if not path.exists():
        return {}
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(held, dict) or held.pop(HASH, None) != _hash(held):
        return {}
    return held


def _hash(content: dict[str, Any]) -> str:
    return Seal.of(RECORD).hash(json.dumps(content, sort_keys=True).encode())


def _fingerprints(path: Path) -> list[dict[str, Any]]:
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    return [fingerprint(one) for one in files]


def _forget(prepared: Prepared) -> None:
    """Forget earlier outputs, and discard unfinished work on them; the outputs stay until they are replaced."""
    with disk_errors(prepared.out):
        (prepared.out / RECORD).unlink(missing_ok=True)
    for step in prepared.steps:
        discard_work(step.out)


def _remove_if_bare(out: Path) -> None:
    """Remove the folder if nothing was done in it."""
    if out.is_dir() and {entry.name for entry in out.iterdir()} <= {f"{WORK}.work"}:
        shutil.rmtree(out)
