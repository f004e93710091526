"""The command line, put together: every job, and the commands that are not jobs on data.

A command's file is imported when the command is called, and `curate --help` reads only its docstring: importing them
all would take most of a second.
"""

from __future__ import annotations

import ast
import io
import tokenize
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from curate.cli.usage import renamed
from curate.errors import SettingsError
from curate.jobs import JOBS, help_and_examples

ABOUT = "Measure, select and build the preference pairs that are worth training on."
OTHERS = ("run", "recipes", "metrics", "cache", "demo")
FILES = {name: f"curate.jobs.{name}" for name in JOBS} | {name: f"curate.cli.{name}" for name in OTHERS}
BEST_OF_N2 = Annotated[
    bool,
    typer.Option(
        "--best-of-n2",
        metavar="",
        help="The same as --strategy=best-of-n2, the default.",
        rich_help_panel="How to pair",
    ),
]
SHARED: dict[str, Any] = {"pretty_exceptions_enable": False}


class Commands(TyperGroup):
    """Every command by its name; what it takes is known only once it is called."""

    def __init__(self, **known: Any) -> None:
        known["commands"] = {name: TyperCommand(name, help=docstring(file)[0]) for name, file in FILES.items()}
        super().__init__(**known)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that is called, whole."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed and whole(str(name)), renamed(rest)


def docstring(file: str) -> tuple[str, list[str]]:
    """What the docstring of a module says, which is not imported, and its examples."""
    spec = find_spec(file)
    source = spec.loader.get_source(file) if spec and spec.loader else ""  # type: ignore[attr-defined]
    first = next(tokenize.generate_tokens(io.StringIO(source or "").readline))
    return help_and_examples(ast.literal_eval(first.string))


def whole(name: str) -> Any:
    """The command with its options."""
    from curate.cli.command import command, job_command

    one = typer.Typer(add_completion=False, **SHARED)
    help, examples = docstring(FILES[name])
    as_command = one.command(name, epilog="\n\n".join(["Examples:", *examples]))
    if name in OTHERS:
        settings, call = import_module(FILES[name]).COMMAND
        as_command(command(name, settings, call, help))
    else:
        extra, before = ({"best_of_n2": BEST_OF_N2}, _best_of_n2) if name == "pair" else ({}, dict)
        as_command(job_command(name, extra, before))
    return get_command(one)


def _best_of_n2(values: dict[str, Any]) -> dict[str, Any]:
    """The short spelling of the default strategy."""
    if values.pop("best_of_n2") and values["strategy"] != "best-of-n2":
        strategy = values["strategy"]
        raise SettingsError(
            "--best-of-n2 and --strategy exclude each other.", setting="strategy", value=strategy, hint="Keep one."
        )
    return values


def _version(wanted: bool) -> None:
    if wanted:
        from curate.version import __version__

        typer.echo(f"curate {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="curate",
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    **SHARED,
)


@app.callback(help=ABOUT)
def options(
    version: Annotated[
        bool,
        typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Take what stands before a command's name."""
