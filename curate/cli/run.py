"""Run the steps of a recipe file: generate, score, pair, select, weigh, export.

Rerun the same command to resume an interrupted run; finished steps are kept.

Examples:
    curate run less-is-more --plan --set data=pairs.jsonl
    curate run mine.yaml -o results --set select.top=25%
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from curate.cli import console
from curate.cli.reporters import reporter
from curate.cli.run_summaries import plan_facts, plan_lines, run_lines, step_lines
from curate.jobs.results import as_plain
from curate.plan.hours import find_gpu
from curate.recipes.check import prepare
from curate.recipes.file import read_recipe
from curate.recipes.preview import plan_run
from curate.recipes.resolve import parse_assignments
from curate.recipes.run import StepResult, day_of
from curate.recipes.run import run as run_steps
from curate.settings import FRESH, option


class RunSettings(BaseModel):
    """The options of `curate run`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Path = option(
        help="A recipe file, or the name of one that `curate recipes` lists.", metavar="RECIPE", argument=True
    )
    out: Path | None = option(None, "The folder of the outputs. Default: the recipe's name.", metavar="DIR", short="-o")
    assignments: tuple[str, ...] = option(
        (),
        "An input (data=pairs.jsonl), a step's setting (select.top=25%) or a metric's parameter "
        "(select.dcrm.eps=0.1). Repeatable.",
        metavar="KEY=VALUE",
        spelled="set",
    )
    plan: bool = option(False, "Print what would run and what it costs; fetch and open nothing.")
    gpu: str = option(
        "H100", "The GPU for whose time --plan counts: H100, H200, A100, L40S or RTX4090.", metavar="NAME"
    )
    fresh: bool = option(False, FRESH)
    report: Path | None = option(
        None, "Also write the page of `curate report` on the last step that selects or pairs.", metavar="FILE.html"
    )


def run(settings: RunSettings, as_json: bool, quiet: bool) -> None:
    """Run a recipe, or print what it would do."""
    file = read_recipe(settings.recipe)
    given = parse_assignments(settings.assignments)
    place = settings.out or Path(file.recipe.name)
    if settings.plan:
        plan, gpu = plan_run(file, given, place), find_gpu(settings.gpu)
        if as_json:
            console.say_json(plan_facts(plan, gpu))
        else:
            console.say(plan_lines(plan, gpu))
        return
    prepared = prepare(file, given, place, None if settings.fresh else day_of(place))
    on_step = _silent if quiet or as_json else _say_step
    result = run_steps(prepared, reporter(quiet), fresh=settings.fresh, on_step=on_step, page=settings.report)
    if as_json:
        console.say_json(as_plain(result))
    elif not quiet:
        console.say(run_lines(result))


def _say_step(step: StepResult) -> None:
    console.say(step_lines(step))


def _silent(_: StepResult) -> None:
    pass


COMMAND = RunSettings, run
