"""`curate report`: what it refuses, what it says, what it reads of a selection, and where it writes."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import curate
from curate.cli.app import app
from curate.demo.world import make_pairs
from curate.errors import InputError, SettingsError, StoreError
from tests.reporting.conftest import document


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in make_pairs(60, 1)))
    curate.score(pairs, tmp_path / "scored.parquet", reward=("fake:1",))
    return tmp_path / "scored.parquet"


def test_the_summary_says_what_the_page_shows(scored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = scored.with_name("r.html")
    app(["report", str(scored), "-o", str(out)], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "60 rows, opening with dcrm" in shown
    assert f"wrote {out} (" in shown


def test_a_file_that_is_not_a_page_is_not_replaced(scored: Path) -> None:
    out = scored.with_name("r.html")
    out.write_text("<html>mine</html>")
    with pytest.raises(StoreError, match="curate did not write"):
        curate.report(scored, out)
    assert out.read_text() == "<html>mine</html>"
    with pytest.raises(StoreError, match="HTML"):
        curate.report(scored, scored.with_name("r.parquet"))


def test_a_selection_of_another_table_is_refused(scored: Path) -> None:
    out, other = scored.with_name("r.html"), scored.with_name("other.parquet")
    pl.DataFrame({"pair_id": ["x", "y"]}).write_parquet(other)
    with pytest.raises(SettingsError, match="None of its rows"):
        curate.report(scored, out, selected=other)
    pl.DataFrame({"x": [1]}).write_parquet(other)
    with pytest.raises(SettingsError, match=r"other\.parquet has no such column"):
        curate.report(scored, out, selected=other)
    assert not out.exists()


def test_of_equal_rows_as_many_are_kept_as_the_selection_has(scored: Path) -> None:
    twice, kept = scored.with_name("twice.parquet"), scored.with_name("kept.parquet")
    rows = pl.read_parquet(scored)
    pl.concat([rows, rows.head(4)]).write_parquet(twice)
    pl.concat([rows.head(3), rows.head(1)]).write_parquet(kept)
    assert curate.report(twice, scored.with_name("r.html"), selected=kept).kept == 4


def test_rows_kept_that_are_not_in_the_table_are_counted(scored: Path) -> None:
    kept = scored.with_name("kept.parquet")
    ids = [*pl.read_parquet(scored)["pair_id"].head(5).to_list(), "elsewhere"]
    pl.DataFrame({"pair_id": ids}).write_parquet(kept)
    result = curate.report(scored, scored.with_name("r.html"), selected=kept)
    assert result.kept == 5
    page = document(scored.with_name("r.html"))
    assert page["head"]["notes"] == ["1 rows of kept.parquet are not in the table."]
    assert page["head"]["decided"] is None


def test_two_selections_stand_side_by_side(scored: Path) -> None:
    frames = []
    for name, by in (("a", "dcrm"), ("b", "reward_margin")):
        curate.select(scored, scored.with_name(f"{name}.parquet"), by=by, top="30%")
        frames.append(pl.read_parquet(scored.with_name(f"{name}.parquet")))
    files = {"selected": scored.with_name("a.parquet"), "compare": scored.with_name("b.parquet")}
    curate.report(scored, scored.with_name("r.html"), **files)
    page = document(scored.with_name("r.html"))
    first, second = (set(frame["pair_id"]) for frame in frames)
    assert page["compared"]["both"] == len(first & second)
    assert page["compared"]["only"] == [len(first - second), len(second - first)]
    assert page["figures"]["other"]["mean:reward_margin"][0] == pytest.approx(frames[1]["reward_margin"].mean())
    shown = [page["pairs"][at] for at in page["sets"]["only_second"]]
    assert shown
    assert all(pair["id"] in second - first and pair["other"] and not pair["kept"] for pair in shown)
    with pytest.raises(SettingsError, match="no selection to compare"):
        curate.report(scored, scored.with_name("r.html"), compare=scored.with_name("b.parquet"))


def test_a_selection_that_is_the_table_says_how_it_was_made(scored: Path) -> None:
    kept = scored.with_name("kept.parquet")
    curate.select(scored, kept, by="reward_margin", top="50%")
    curate.report(kept, scored.with_name("r.html"))
    page = document(scored.with_name("r.html"))
    assert page["by"] == "reward_margin"
    assert page["head"]["decided"]["reasons"] == {"not within --top 50%": 30}
    assert page["head"]["decided"]["rows"]["in"] == 60


def test_a_metric_that_the_table_lacks_is_computed_as_select_would(scored: Path) -> None:
    curate.report(scored, scored.with_name("r.html"), by="dcrm", options={"dcrm": {"scale": "0.1"}})
    curate.select(scored, scored.with_name("o.parquet"), by="dcrm", options={"dcrm": {"scale": "0.1"}}, top="10%")
    page = document(scored.with_name("r.html"))
    best = [page["pairs"][at]["id"] for at in page["sets"]["best"]]
    assert set(pl.read_parquet(scored.with_name("o.parquet"))["pair_id"]) == set(best[:6])
    with pytest.raises(SettingsError, match="neither a metric nor a column"):
        curate.report(scored, scored.with_name("r.html"), by="nothing")
    with pytest.raises(SettingsError, match="does not use dcrm"):
        curate.report(scored, scored.with_name("r.html"), options={"dcrm": {"scale": "0.1"}})


def test_candidates_are_refused_and_broken_lines_set_aside(tmp_path: Path) -> None:
    candidates = tmp_path / "c.jsonl"
    candidates.write_text('{"prompt": "p", "responses": ["a", "b"]}\n')
    with pytest.raises(InputError, match="list of responses"):
        curate.report(candidates, tmp_path / "r.html")
    rows = [json.dumps({"prompt": "p", "chosen": "a", "rejected": "b b", "margin": n}) for n in range(5)]
    (tmp_path / "p.jsonl").write_text("\n".join([*rows, "{broken"]))
    result = curate.report(tmp_path / "p.jsonl", tmp_path / "r.html")
    assert (result.rows, sum(result.rejected.values())) == (5, 1)
    assert result.rejects is not None and result.rejects.exists()
    with pytest.raises(InputError):
        curate.report(tmp_path / "p.jsonl", tmp_path / "r.html", strict=True)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_tiny_table_has_a_page(tmp_path: Path, rows: int) -> None:
    lines = [json.dumps({"prompt": "p", "chosen": "a", "rejected": "", "score": None, "m": 1.5}) for _ in range(rows)]
    (tmp_path / "p.jsonl").write_text("\n".join(lines))
    assert curate.report(tmp_path / "p.jsonl", tmp_path / "r.html").rows == rows


def test_columns_without_any_value_and_an_empty_selection_have_a_page(scored: Path) -> None:
    frame = pl.read_parquet(scored).with_columns(dcrm=pl.lit(None, pl.Float64), flags=pl.lit([], pl.List(pl.String)))
    frame.write_parquet(scored.with_name("s.parquet"))
    frame.head(0).write_parquet(scored.with_name("none.parquet"))
    result = curate.report(scored.with_name("s.parquet"), scored.with_name("r.html"))
    assert result.by is not None
    page = document(scored.with_name("r.html"))
    assert next(one for one in page["numbers"] if one["name"] == "dcrm")["counts"] is None
