"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from curate.cli import demo as demo_command
from curate.cli import export, generate, inspect, metrics, pair, run, score, select, weigh

app = typer.Typer(
    name="curate",
    help="Measure, select and build the preference pairs that are worth training on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("inspect")(inspect.inspect)
app.command("generate")(generate.generate)
app.command("score")(score.score)
app.command("select")(select.select)
app.command("pair")(pair.pair)
app.command("weigh")(weigh.weigh)
app.command("export")(export.export)
app.command("run")(run.run)
app.command("metrics")(metrics.metrics)
app.command("demo")(demo_command.demo)


def _version(wanted: bool) -> None:
    if wanted:
        from curate.version import __version__

        typer.echo(f"curate {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Measure, select and build the preference pairs that are worth training on."""
