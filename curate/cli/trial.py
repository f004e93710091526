"""`--dry-run`: what a command would do, with everything checked and nothing left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from curate.cli.run_summaries import COSTS, cost_cells, cost_lines
from curate.jobs.contract import Job
from curate.jobs.results import Shown
from curate.lines import Grid, Line, Next, Summary, counted
from curate.metrics.catalogue import catalogue_of, using
from curate.plan.cost import ModelCost
from curate.plan.hours import GPUS
from curate.plan.shape import look
from curate.plan.volume import Disk, disk, survey
from curate.progress import Reporter
from curate.settings import ModelSettings

GPU = GPUS["H100"]
NOTHING = "Nothing was written: leave out --dry-run to run it."


@dataclass(frozen=True, repr=False)
class Trial(Shown):
    """What a command that opens models would do.

    Attributes:
        rows: of the data, unreadable ones included.
        writes: rows of its output; None if not known.
        at_most: whether there may be fewer.
        columns: those that its output has and the data lacks.
        models: what each model would read.
        disk: what it would leave on the disk; None if not known.
    """

    out: Path
    rows: int
    writes: int | None
    at_most: bool
    columns: tuple[str, ...]
    models: tuple[ModelCost, ...]
    disk: Disk | None = None


def trial(job: Job, settings: Any, reporter: Reporter) -> tuple[Any, list[Line]]:
    """What the command would do, and the lines that say so.

    A command that opens models is planned from its data, whose first rows must have a known layout, and from the
    models' configurations. Any other command is quick: it runs, and its output is deleted.

    Raises:
        CurateError: the command itself would be refused.
    """
    if isinstance(settings, ModelSettings):
        found = _planned(job, settings)
        return found, list(_lines(found, job.name))
    with TemporaryDirectory(prefix="curate-") as folder:
        result = job.run(settings.model_copy(update=_moved(settings, Path(folder))), reporter)
        lines = [one for one in job.summary(result) if not isinstance(one, Next) and folder not in str(one)]
    return result, [*lines, NOTHING]


def _moved(settings: Any, folder: Path) -> dict[str, Any]:
    """Settings that name places, with places in the folder; what is sent away is not."""
    places = {name: getattr(settings, name, None) for name in ("out", "left_out", "report")}
    known = {name: place for name, place in places.items() if place is not None}
    # One folder for each place, so that two settings of the same place still collide.
    folders = {place.resolve(): folder / str(i) for i, place in enumerate(known.values())}
    for one in folders.values():
        one.mkdir()
    moved: dict[str, Any] = {name: folders[place.resolve()] / place.name for name, place in known.items()}
    return moved | ({"push": None} if getattr(settings, "push", None) is not None else {})


def _planned(job: Job, settings: Any) -> Trial:
    columns: Mapping[str, str] = getattr(settings, "columns", {})

    def layout(rows: Any) -> Any:
        return job.layout(rows, getattr(settings, "rows_as", None))

    with using(catalogue_of(getattr(settings, "metrics", ()))):
        job.check(settings)
        before = look(settings.data, layout, columns)
        after = job.shape(settings, before)
        job.models(settings, after.kind)
        volume = survey(settings.data, layout, columns, getattr(settings, "limit", None))
        made = job.volume(settings, volume, after.kind)
        costs = tuple(job.costs(settings, volume, after.kind))
    new = tuple(sorted(after.columns - before.columns))
    needs = disk(volume, made, measures=job.measures, plain_text=job.name == "export")
    return Trial(settings.out, volume.rows or 0, made.rows, made.at_most, new, costs, needs)


def _lines(found: Trial, command: str) -> Summary:
    rows = "" if found.writes is None else f" with {'at most ' if found.at_most else ''}{counted(found.writes, 'row')}"
    yield f"{counted(found.rows, 'row')} in; would write {found.out}{rows}."
    if found.columns:
        yield f"new columns: {', '.join(found.columns)}"
    if found.models:
        yield Grid(COSTS, [cost_cells(command, one, GPU) for one in found.models])
        yield from cost_lines(found.models, GPU, [found.disk] if found.disk else [])
    yield NOTHING
