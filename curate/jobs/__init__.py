"""The commands, one file each, and what only they share.

A command is a line in `JOBS`, the file `curate/jobs/NAME.py` with its `JOB`, and `print_NAME` in
`curate.cli.summaries`. The command line, the Python interface and recipes know commands by this list.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from curate.settings import (
    DataSettings,
    ExplainSettings,
    ExportSettings,
    GenerateSettings,
    InspectSettings,
    PairSettings,
    ReportSettings,
    ScoreSettings,
    SelectSettings,
    WeighSettings,
)

if TYPE_CHECKING:
    from curate.jobs.contract import Job

JOBS: Mapping[str, type[DataSettings]] = {
    "inspect": InspectSettings,
    "generate": GenerateSettings,
    "score": ScoreSettings,
    "select": SelectSettings,
    "explain": ExplainSettings,
    "pair": PairSettings,
    "weigh": WeighSettings,
    "export": ExportSettings,
    "report": ReportSettings,
}
"""Per command its settings, in the order in which a user meets them."""


def job(name: str) -> Job:
    """A command. Imports what it needs, and only that."""
    found: Job = import_module(f"{__name__}.{name}").JOB
    return found


def steps() -> dict[str, Job]:
    """The commands that a recipe can run."""
    return {name: one for name in JOBS if (one := job(name)).is_step}
