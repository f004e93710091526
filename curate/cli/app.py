"""The command line, put together: every job, and the commands that are not jobs on data."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from curate.cli.command import command, job_command
from curate.cli.demo import demo
from curate.cli.metrics import metrics
from curate.cli.run import run
from curate.errors import SettingsError
from curate.jobs import JOBS
from curate.settings import CatalogueSettings, DemoSettings, RunSettings

ABOUT = "Measure, select and build the preference pairs that are worth training on."
BEST_OF_N2 = Annotated[
    bool,
    typer.Option("--best-of-n2", help="The same as --strategy=best-of-n2, the default.", rich_help_panel="How to pair"),
]


def _best_of_n2(values: dict[str, Any]) -> dict[str, Any]:
    """The short spelling of the default strategy."""
    if values.pop("best_of_n2") and values["strategy"] != "best-of-n2":
        strategy = values["strategy"]
        raise SettingsError(
            "--best-of-n2 and --strategy exclude each other.", setting="strategy", value=strategy, hint="Keep one."
        )
    return values


app = typer.Typer(
    name="curate",
    help=ABOUT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name in JOBS:
    extra, before = ({"best_of_n2": BEST_OF_N2}, _best_of_n2) if name == "pair" else ({}, dict)
    app.command(name)(job_command(name, extra, before))
app.command("run")(command(RunSettings, run))
app.command("metrics")(command(CatalogueSettings, metrics))
app.command("demo")(command(DemoSettings, demo))


def _version(wanted: bool) -> None:
    if wanted:
        from curate.version import __version__

        typer.echo(f"curate {__version__}")
        raise typer.Exit


@app.callback(help=ABOUT)
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take what stands before a command's name."""
