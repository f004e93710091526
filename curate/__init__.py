"""Measure, select and build the preference pairs that are worth training on.

Every command has a Python equal of the same name: `curate.score("pairs.jsonl", "scored.parquet", policy=...)`. Keyword
arguments are the command's options, with underscores; metric parameters are given as `options={"dcrm": {"eps": 0.1}}`.
Data may be a Polars, pandas or Arrow frame, or a data set of `datasets`; without an output, the result has a `frame`.
"""

from __future__ import annotations

import os
from typing import Any

from curate.errors import CurateError as CurateError
from curate.jobs import JOBS
from curate.version import __version__ as __version__

if os.environ.get("CURATE_OFFLINE"):
    from curate.offline import begin

    begin()

__all__ = sorted(["CurateError", "__version__", "catalogue", "plan_run", "run", *JOBS])


def __getattr__(name: str) -> Any:
    # The command line starts through this file, and must not import what only Python's users need.
    if name not in __all__:
        raise AttributeError(f"module 'curate' has no attribute {name!r}")
    from curate import face

    return face.function_of(name) if name in JOBS else getattr(face, name)


def __dir__() -> list[str]:
    return __all__
