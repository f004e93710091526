"""Writes `curate/__init__.pyi`, by which type checkers know the functions: python -m tests.docs.stub."""

from __future__ import annotations

import inspect
from pathlib import Path

import curate
from curate import face
from curate.jobs import JOBS, job

STUB = Path(curate.__file__).with_suffix(".pyi")
HEAD = '''"""Measure, select and build the preference pairs that are worth training on."""

# Written by `python -m tests.docs.stub` from the settings; a test compares.

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

'''


def text() -> str:
    """The stub."""
    jobs = {name: job(name) for name in JOBS}
    kinds = {name: inspect.signature(one.run).return_annotation for name, one in jobs.items()}
    runs = [inspect.unwrap(one.run) for one in jobs.values()]
    results = {run.__globals__[kind] for run, kind in zip(runs, kinds.values(), strict=True)}
    imports = [f"from {one.__module__} import {one.__name__}" for one in results]
    imports += ["from curate.errors import CurateError as CurateError", "from curate.metrics.registry import Metric"]
    imports += ["from curate.recipes.preview import RunPlan", "from curate.recipes.run import RunResult"]
    imports += ["from curate.version import __version__ as __version__"]
    made = [HEAD + "\n".join(sorted(imports)), "Data = Any"]
    made += [_function(name, kind) for name, kind in kinds.items()]
    made += [_plain(name) for name in ("run", "plan_run", "catalogue")]
    return "\n\n".join(made) + "\n"


def _function(name: str, kind: str) -> str:
    lines, by_name = [], False
    for one in face.parameters_of(name):
        if one.kind is inspect.Parameter.KEYWORD_ONLY and not by_name:
            lines, by_name = [*lines, "    *,"], True
        default = "" if one.default is inspect.Parameter.empty else " = ..."
        lines.append(f"    {one.name}: {one.annotation}{default},")
    return f"def {name}(\n" + "\n".join(lines) + f"\n) -> {kind}: ..."


def _plain(name: str) -> str:
    return f"def {name}{inspect.signature(getattr(face, name))}: ...".replace("'", "").replace('"', "")


if __name__ == "__main__":
    STUB.write_text(text(), "utf-8")
