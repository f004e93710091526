"""`--json`: every command's summary as one line for scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curate.cli.app import app
from curate.storage.number_cache import FILES
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


def test_a_run_is_one_object_with_the_result_of_each_step(data: str, tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "name: small\nabout: Score.\nsteps:\n"
        f"  - run: score\n    with: {{data: {data}, policy: fake:1}}\n"
        "  - run: select\n    with: {data: '${steps.score}', by: simpo_margin, top: '3'}\n"
    )
    words = ("run", str(recipe), "-o", str(tmp_path / "o"))
    planned = said(*words, "--plan")
    assert [step["name"] for step in planned["steps"]] == ["score", "select"]
    (model,) = planned["steps"][0]["models"]
    assert (model["model"], model["sequences"], model["hours"]) == ("fake:1", 24, None)
    assert not (tmp_path / "o").exists()
    found = said(*words)
    assert found["final"] == str(tmp_path / "o" / "02-select.parquet")
    assert [step["result"]["rows"] for step in found["steps"]] == [12, 12]
    assert found["steps"][1]["result"]["kept"] == 3
    assert [step["result"] for step in said(*words)["steps"]] == [None, None]


def test_commands_that_are_not_jobs(data: str, tmp_path: Path) -> None:
    held = tmp_path / "c"
    said("score", data, "-o", str(tmp_path / "s.parquet"), "--policy", "fake:1", "--cache", str(held))
    (numbers,) = held.glob(f"*/{FILES}")
    found = said("cache", str(held))
    assert found | {"oldest": "", "newest": ""} == {
        **{"folder": str(held), "bytes": numbers.stat().st_size, "files": 1, "ways": 1, "removed": 0},
        **{"oldest": "", "newest": ""},
    }
    assert said("cache", str(held), "--clear") | {"folder": ""} == {
        **{"folder": "", "bytes": 0, "files": 0, "ways": 0, "oldest": None, "newest": None, "removed": 0}
    }
    recipes = {one["name"]: one for one in said("recipes")}
    assert said("recipes", "less-is-more") == recipes["less-is-more"]
    assert recipes["less-is-more"]["steps"][0]["run"] == "score"
    metrics = {one["name"]: one for one in said("metrics")}
    assert said("metrics", "dcrm") == metrics["dcrm"]
    assert metrics["dcrm"]["better"] == "higher"
