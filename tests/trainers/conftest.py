"""The trainers' own readers, each in an environment of its own, which `make test-trainers` makes."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.exporters.golden import run_export, write

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".venv-trainers"
TRAINERS = tuple(sorted(path.stem for path in (HERE / "environments").iterdir()))
SECONDS = 900
ELSEWHERE = "the trainers have environments of their own; run make test-trainers"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = "trainers" in config.option.markexpr and "not trainers" not in config.option.markexpr
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.trainers)
            if not asked:
                item.add_marker(pytest.mark.skip(reason=ELSEWHERE))


@dataclass(frozen=True)
class Reading:
    """What a trainer made of an export.

    Attributes:
        kept: values of `source` of the rows that were exported.
        rows: what its reader found.
        settings: what its parser made of the snippet.
    """

    kept: list[str]
    rows: list[dict[str, Any]]
    settings: dict[str, Any]


def read_with(trainer: str, table: list[dict[str, Any]], folder: Path, model: Path) -> Reading:
    """Export these rows, and read them with the trainer's own code."""
    python = ENVIRONMENTS / trainer / "bin" / "python"
    if not (ENVIRONMENTS / trainer / ".ready").exists():
        pytest.fail(f"{trainer} is not installed; run make test-trainers")
    result = run_export(write(folder / "d.jsonl", table), folder / "out", trainer)
    refused = [] if result.rejects is None else pl.read_parquet(result.rejects)["row"].to_list()
    away = {json.loads(row)["source"] for row in refused}
    work = folder / "work"
    work.mkdir()
    caches = {name: str(work / "cache") for name in ("HF_DATASETS_CACHE", "MODELSCOPE_CACHE", "XDG_CACHE_HOME")}
    offline = {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "AXOLOTL_DO_NOT_TRACK": "1", **caches}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | offline
    reader = HERE / "readers" / f"read_{trainer.replace('-', '_')}.py"
    command = [str(python), str(reader), str(folder / "out"), str(model), str(work / "found.json")]
    done = subprocess.run(
        command, env=environment, cwd=work, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        pytest.fail(f"{reader.name} exited {done.returncode}:\n{done.stderr[-4000:]}")
    found = json.loads((work / "found.json").read_text())
    return Reading([row["source"] for row in table if row["source"] not in away], found["rows"], found["settings"])
