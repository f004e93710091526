"""Words on the command line that no command takes, as an error of three lines that names the nearest one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import typer

from curate.errors import CurateError, SettingsError, closest

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises before a command is called. Typer does not export it, and older releases take it from click."""

MEANT: dict[str, str] = {
    "--model": "--reward, --policy or --reference",
    "--models": "--reward, --policy or --reference",
    "--reward-model": "--reward",
    "--ref": "--reference",
    "--output": "--out",
    "--metric": "--by",
    "--filter": "--where",
    "--seed-everything": "--seed",
    "--format": "--to",
    "--rejected": "--left-out",
    "--n": "--samples",
}
"""Options that other tools have, and what they are called here."""
EARLIER = {"--rejects": "--left-out"}
"""Options under the names of earlier releases, which are taken but not listed."""
WHAT_MODELS_DO = (
    "Three options take a model: --reward MODEL scores the responses; --policy MODEL and --reference MODEL measure "
    "their log-probabilities."
)


def as_error(error: Any) -> CurateError:
    """What went wrong, the command, and what to type instead."""
    command = error.ctx.command_path if error.ctx else "curate"
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities"):
        return SettingsError(f"`{command}` has no option {option}.", f"{command} {option}", _option(option, error.ctx))
    what = " ".join(error.format_message().split()).replace("Value error, ", "")
    what, _, meant = what.partition(" Did you mean ")
    if meant:
        return SettingsError(what, command, f"Did you mean {meant.replace(chr(39), '')}")
    return SettingsError(what if what.endswith(".") else f"{what}.", command, _help(command))


def renamed(words: Sequence[str]) -> list[str]:
    """Words of a command line with options under their present names."""
    parts = [word.partition("=") for word in words]
    return [EARLIER.get(option, option) + equals + value for option, equals, value in parts]


def _option(option: str, ctx: Any) -> str:
    known = {name for one in ctx.command.params for name in one.opts if name.startswith("--")} if ctx else set()
    if option in ("--model", "--models") and {"--reward", "--policy", "--reference"} <= known:
        return WHAT_MODELS_DO
    meant = MEANT.get(option)
    if meant in known:
        return f"Did you mean {meant}?"
    return _nearest(option, known) or _help(ctx.command_path if ctx else "curate")


def _nearest(option: str, known: Collection[str]) -> str:
    names = closest(option.strip("-"), [name.strip("-") for name in known])
    return f"Did you mean {' or '.join(f'--{name}' for name in names)}?" if names else ""


def _help(command: str) -> str:
    return f"`{command} --help` lists what it takes."
