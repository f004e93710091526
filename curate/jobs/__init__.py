"""The commands, one file each, and what only they share.

A command is a line in `JOBS`, the file `curate/jobs/NAME.py` with a function of its name, and `print_NAME` in
`curate.cli.summaries`. The command line, the Python interface and recipes know commands by this list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from curate.settings import (
    DataSettings,
    ExportSettings,
    GenerateSettings,
    InspectSettings,
    PairSettings,
    ScoreSettings,
    SelectSettings,
    WeighSettings,
)

JOBS: Mapping[str, type[DataSettings]] = {
    "inspect": InspectSettings,
    "generate": GenerateSettings,
    "score": ScoreSettings,
    "select": SelectSettings,
    "pair": PairSettings,
    "weigh": WeighSettings,
    "export": ExportSettings,
}
"""Per command its settings, in the order in which a user meets them."""


def job(name: str) -> Callable[..., Any]:
    """The function of a command: (settings, reporter) -> result. Imports what the command needs, and only that."""
    function: Callable[..., Any] = getattr(import_module(f"{__name__}.{name}"), name)
    return function
