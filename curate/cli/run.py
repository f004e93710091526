"""`curate run`."""

from __future__ import annotations

from pathlib import Path

from curate.settings import RunSettings


def run(settings: RunSettings, quiet: bool) -> None:
    """Run a recipe, or print what it would do."""
    from curate.cli import console
    from curate.cli.run_summaries import print_plan, print_run, print_step
    from curate.recipes.check import prepare
    from curate.recipes.file import read_recipe
    from curate.recipes.preview import plan_run
    from curate.recipes.resolve import parse_assignments
    from curate.recipes.run import day_of
    from curate.recipes.run import run as run_steps

    file = read_recipe(settings.recipe)
    given = parse_assignments(settings.assignments)
    place = settings.out or Path(file.recipe.name)
    if settings.plan:
        print_plan(plan_run(file, given, place))
        return
    prepared = prepare(file, given, place, None if settings.fresh else day_of(place))
    on_step = (lambda _: None) if quiet else print_step
    result = run_steps(prepared, console.reporter(quiet), fresh=settings.fresh, on_step=on_step)
    if not quiet:
        print_run(result)
