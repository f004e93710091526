"""`--report`: the page of a result, written after the output, and never at its cost."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import curate
from curate.cli.app import app
from curate.demo.world import make_pairs
from curate.errors import StoreError
from tests.commands.helpers import candidate_rows, write_jsonl
from tests.reporting.conftest import document

RECIPE = """
name: small
about: Two steps.
inputs: {data: {about: pairs}}
steps:
  - run: score
    with: {data: "${inputs.data}", reward: fake:1}
  - run: select
    with: {data: "${steps.score}", by: reward_margin, top: 50%, report: kept.html}
"""


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "pairs.jsonl", make_pairs(40, 1))


def test_the_page_of_a_selection_is_that_of_report(pairs: Path, tmp_path: Path) -> None:
    scored, kept = tmp_path / "scored.parquet", tmp_path / "kept.parquet"
    curate.score(pairs, scored, reward=("fake:1",))
    result = curate.select(scored, kept, by="reward_margin", top="25%", report=tmp_path / "with.html")
    assert result.report == tmp_path / "with.html"
    curate.report(scored, tmp_path / "alone.html", selected=kept, by="reward_margin")
    assert document(tmp_path / "with.html") == document(tmp_path / "alone.html")
    without = tmp_path / "other.parquet"
    curate.select(scored, without, by="reward_margin", top="25%")
    assert without.read_bytes() == kept.read_bytes()


def test_the_page_of_a_pairing_shows_the_new_pairs(tmp_path: Path) -> None:
    pool, out, page = (
        write_jsonl(tmp_path / "pool.jsonl", candidate_rows()),
        tmp_path / "p.parquet",
        tmp_path / "p.html",
    )
    result = curate.pair(pool, out, reward=("fake:1",), strategy="max-min", report=page)
    assert document(page)["head"]["rows"] == result.pairs and result.report == page


def test_a_page_that_fails_leaves_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, out = tmp_path / "t.parquet", tmp_path / "o.parquet"
    pl.DataFrame({"x": [1.0, 2.0]}).write_parquet(table)
    app(
        ["select", str(table), "-o", str(out), "--by", "x", "--top", "1", "--report", str(tmp_path / "p.html")],
        standalone_mode=False,
    )
    assert pl.read_parquet(out)["x"].to_list() == [2.0]
    assert not (tmp_path / "p.html").exists()
    assert "the page was not written; the output is complete" in " ".join(capsys.readouterr().err.split())


def test_a_place_that_is_taken_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    table, page = tmp_path / "t.parquet", tmp_path / "p.html"
    pl.DataFrame({"x": [1.0, 2.0]}).write_parquet(table)
    page.write_text("mine")
    with pytest.raises(StoreError, match="curate did not write"):
        curate.select(table, tmp_path / "o.parquet", by="x", top="1", report=page)
    assert not (tmp_path / "o.parquet").exists() and page.read_text() == "mine"


def test_a_step_and_a_run_write_pages(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE)
    command = ["run", str(tmp_path / "r.yaml"), "-o", str(tmp_path / "run"), "--set", f"data={pairs}"]
    app(command, standalone_mode=False)
    assert document(tmp_path / "run" / "kept.html")["head"]["rows"] == 40
    # all steps are finished, and the page is still written
    app([*command, "--report", str(tmp_path / "whole.html")], standalone_mode=False)
    assert f"wrote {tmp_path / 'whole.html'}" in capsys.readouterr().out.replace("\n", "")
    assert document(tmp_path / "whole.html") == document(tmp_path / "run" / "kept.html")


def test_report_reads_the_columns_named(tmp_path: Path) -> None:
    rows = [{"ask": f"q {i}", "good": f"g {i}", "bad": "b", "x": i} for i in range(4)]
    data = write_jsonl(tmp_path / "d.jsonl", json.loads(json.dumps(rows)))
    columns = {"prompt": "ask", "chosen": "good", "rejected": "bad"}
    curate.report(data, tmp_path / "r.html", columns=columns)
    assert document(tmp_path / "r.html")["pairs"][0]["prompt"]
