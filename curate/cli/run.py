"""`curate run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate.cli.command import Quiet
from curate.settings import ModelSettings


def run(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="A recipe file.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="The folder of the outputs. Default: the recipe's name."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="An input (data=pairs.jsonl), a step's setting (select.top=25%) or a metric's parameter "
            "(select.dcrm.eps=0.1). Repeatable.",
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what would run and what it costs; fetch and open nothing.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help=ModelSettings.model_fields["fresh"].description)] = False,
    quiet: Quiet = False,
) -> None:
    """Run the steps of a recipe file: generate, score, pair, select, weigh, export.

    Rerun the same command to resume an interrupted run; finished steps are kept.
    """
    from curate.cli import console
    from curate.cli.run_summaries import print_plan, print_run, print_step
    from curate.recipes.check import prepare
    from curate.recipes.file import read_recipe
    from curate.recipes.preview import plan_run
    from curate.recipes.resolve import parse_assignments
    from curate.recipes.run import day_of
    from curate.recipes.run import run as run_steps

    file = read_recipe(recipe)
    given = parse_assignments(set_ or [])
    place = out or Path(file.recipe.name)
    if plan:
        print_plan(plan_run(file, given, place))
        return
    prepared = prepare(file, given, place, None if fresh else day_of(place))
    on_step = (lambda _: None) if quiet else print_step
    result = run_steps(prepared, console.reporter(quiet), fresh=fresh, on_step=on_step)
    if not quiet:
        print_run(result)
