"""The commands, one file each, and what only they share.

A command is a name in `JOBS` and the file `curate/jobs/NAME.py`, whose docstring is its help and whose `JOB` is all the
rest. The command line, the Python interface and recipes know commands by this list.
"""

from __future__ import annotations

from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curate.jobs.contract import Job

JOBS = ("inspect", "generate", "score", "merge", "select", "show", "explain", "pair", "weigh", "export", "report")
"""The names, in the order in which a user meets them."""


def job(name: str) -> Job:
    """A command. Imports what it needs, and only that."""
    found: Job = import_module(f"{__name__}.{name}").JOB
    return found


def help_of(name: str) -> str:
    """What a command does, as the docstring of its file says."""
    return help_and_examples(import_module(f"{__name__}.{name}").__doc__ or "")[0]


def help_and_examples(docstring: str) -> tuple[str, list[str]]:
    """The two parts of the docstring of a command's file; the examples are command lines."""
    text, _, examples = cleandoc(docstring).partition("\n\nExamples:\n")
    return text, [line.strip() for line in examples.splitlines()]


def steps() -> dict[str, Job]:
    """The commands that a recipe can run."""
    return {name: one for name in JOBS if (one := job(name)).is_step}
