"""The command line: one file a command. The one place where errors become exit codes."""

from __future__ import annotations

import gc
import signal
import sys
from typing import Annotated

import typer

from curate.cli import demo as demo_command
from curate.cli import export, generate, inspect, metrics, pair, run, score, select, weigh
from curate.errors import CurateError

GC_THRESHOLDS = 50_000, 20, 50

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


class Stopped(BaseException):
    """The user or the system asked the run to stop. No KeyboardInterrupt, which click would turn into `Aborted!`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _stop(number: int, _: object) -> None:
    raise Stopped(number)


def main() -> None:
    """Run the command line.

    Exit codes: 0; 2 for what the user can mend; 130 after Ctrl-C and 143 after a termination signal, with what was
    measured kept; 1 for a defect of ours, with its traceback.
    """
    # Rows come as many thousand small objects, none of them in a cycle: look for cycles less often than by default.
    gc.set_threshold(*GC_THRESHOLDS)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        app()
    except CurateError as error:
        from curate.console import print_error

        print_error(error)
        sys.exit(2)
    except Stopped as stopped:
        sys.stderr.write("\nStopped. What was measured is kept; the same command goes on from here.\n")
        sys.exit(128 + stopped.number)
