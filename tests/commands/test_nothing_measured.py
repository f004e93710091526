"""Columns that are null throughout, and tables without rows, stop no command."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.errors import InputError
from curate.jobs.weigh import WeighSettings, weigh
from curate.metrics.registry import all_metrics
from curate.progress import Silent
from curate.settings import make
from curate.weighing.registry import all_methods
from tests.metrics.tables import random_table

from .helpers import MODELS, pair_rows, read_manifest, rows_of, run_pair, run_score, run_select, write_jsonl


@pytest.fixture(autouse=True)
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rewards_of_nothing.py").write_text("def none(batch):\n    return [None] * len(batch)\n")
    monkeypatch.syspath_prepend(str(tmp_path))


SCORES: list[dict[str, Any]] = [
    {"reward": ("python:rewards_of_nothing:none",)},
    {"reward": ("python:rewards_of_nothing:none",), **MODELS, "embedder": "fake:4", "unconditional": True},
    {"reward": ("fake:3",), **MODELS, "max_length": 2, "truncation": "drop", "unconditional": True},
    {"reward": (), "policy": "fake:1", "max_length": 6},
    {"reward": ("a=python:rewards_of_nothing:none", "b=fake:3"), **MODELS},
]


@pytest.mark.parametrize("given", SCORES, ids=str)
def test_a_score_of_which_nothing_comes_is_written(tmp_path: Path, given: dict[str, Any]) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(5))
    run_score(data, tmp_path / "s.parquet", **given)
    table = pl.read_parquet(tmp_path / "s.parquet")
    assert table.height == 5
    metrics = read_manifest(tmp_path / "s.parquet")["metrics"]
    assert metrics.keys() <= all_metrics().keys() & set(table.columns)
    without_reward = "reward_margin" in table.columns and table["reward_margin"].null_count() == 5
    for name in ("rip", "bees", "dcrm", "alignment_potential", "rm_agrees"):
        assert name not in table.columns or not without_reward or table[name].null_count() == 5, name
    assert not any(table[name].is_nan().any() for name in metrics)


def scored(rows: int, null: bool) -> pl.DataFrame:
    frame = random_table(seed=1, rows=max(rows, 1)).head(rows)
    frame = frame.clear(rows) if null else frame
    texts = {name: [f"{name} {i}" for i in range(rows)] for name in ("pair_id", "prompt", "chosen", "rejected")}
    return pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String)).hstack(frame)


@pytest.mark.parametrize(("rows", "null"), [(1, False), (4, True)])
@pytest.mark.parametrize("name", all_metrics())
def test_select_by_any_metric(tmp_path: Path, name: str, rows: int, null: bool) -> None:
    scored(rows, null).write_parquet(tmp_path / "t.parquet")
    result = run_select(tmp_path / "t.parquet", tmp_path / "o.parquet", by=name, top="100%")
    assert (result.rows, result.kept) == (rows, 0 if null else rows)
    assert pl.read_parquet(tmp_path / "o.parquet").height == result.kept
    if null:
        assert result.reasons == {f"no value of {name}": rows}


@pytest.mark.parametrize(("rows", "null"), [(1, False), (4, True)])
@pytest.mark.parametrize("name", all_methods())
def test_weigh_by_any_method(tmp_path: Path, name: str, rows: int, null: bool) -> None:
    scored(rows, null).write_parquet(tmp_path / "t.parquet")
    settings = {"data": (str(tmp_path / "t.parquet"),), "out": tmp_path / "o.parquet", "method": name}
    result = weigh(make(WeighSettings, settings), Silent())
    assert (result.rows, result.nulls) == (rows, rows if null else 0)
    assert pl.read_parquet(tmp_path / "o.parquet").height == rows
    assert json.dumps(read_manifest(tmp_path / "o.parquet"))


def test_a_table_without_rows_is_refused_as_such(tmp_path: Path) -> None:
    scored(0, null=False).write_parquet(tmp_path / "t.parquet")
    weighing = make(WeighSettings, {"data": (str(tmp_path / "t.parquet"),), "out": tmp_path / "o", "method": "madpo"})
    for run in (
        lambda: run_select(tmp_path / "t.parquet", tmp_path / "o.parquet", by="dcrm", top="10%"),
        lambda: run_score(tmp_path / "t.parquet", tmp_path / "o.parquet"),
        lambda: run_pair(tmp_path / "t.parquet", tmp_path / "o.parquet"),
        lambda: weigh(weighing, Silent()),
    ):
        with pytest.raises(InputError, match="no rows"):
            run()
    assert not list(tmp_path.glob("o*"))


def test_pairs_of_responses_without_any_number(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "responses": ["a b c", "a"], "rewards": [2.0, 1.0], "policy_logps": [None, None]}]
    run_pair(write_jsonl(tmp_path / "c.jsonl", rows), tmp_path / "p.parquet")
    (row,) = rows_of(tmp_path / "p.parquet")
    # 2 words put in: (sigma(1) - 1/2) / 3
    assert row["dcrm"] == pytest.approx(0.2310585786300049 / 3)
    assert row["policy_chosen_logps"] is None
