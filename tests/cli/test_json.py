"""`--json`: every command's summary as one line for scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curate.cli.app import app
from tests.commands.helpers import pair_rows, write_jsonl

RUN = CliRunner()


def said(*words: str) -> Any:
    result = RUN.invoke(app, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(write_jsonl(tmp_path / "d.jsonl", pair_rows()))


def test_summaries_are_json(data: str, tmp_path: Path) -> None:
    scored, best = str(tmp_path / "s.parquet"), str(tmp_path / "b.parquet")
    assert said("inspect", data)["rows"] == 12
    found = said("score", data, "-o", scored, "--policy", "fake:1")
    assert (found["rows"], found["out"]) == (12, scored)
    assert {"name", "mean", "nulls"} <= set(found["metrics"][0])
    assert said("select", scored, "-o", best, "--by", "simpo_margin", "--top", "3")["kept"] == 3
    explained = said("explain", scored, "row:1", "--selected", best)
    assert explained["verdict"]["rule"] == "--by simpo_margin --top 3"
    assert said("export", best, "-o", str(tmp_path / "e"), "--to", "trl")["pairs"] == 3


def test_it_is_strict_json(data: str, tmp_path: Path) -> None:
    text = RUN.invoke(app, ["score", data, "-o", str(tmp_path / "s.parquet"), "--json"]).stdout
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert len(text.splitlines()) == 1
