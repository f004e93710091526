"""Every number of the page against one computed from the table in another way, or by another command."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import curate
from tests.reporting.conftest import ROWS, document


@pytest.fixture(scope="module")
def page(folder: Path) -> dict[str, Any]:
    return document(folder / "report.html")


@pytest.fixture(scope="module")
def scored(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "scored.parquet")


@pytest.fixture(scope="module")
def kept(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "kept.parquet")


def number(page: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in page["numbers"] if one["name"] == name)
    return found


def test_the_head_says_what_was_done(page: dict[str, Any], kept: pl.DataFrame) -> None:
    head = page["head"]
    assert (head["rows"], head["selection"]["rows"], page["by"]) == (ROWS, kept.height, "dcrm")
    assert head["cut"] == kept["dcrm"].min()
    assert head["decided"]["reasons"] == {"not within --top 20%": ROWS - kept.height}
    assert head["commands"][-1] == "curate select scored.parquet --by dcrm --top 20% -o OUT.parquet"
    assert head["commands"][0].startswith(
        "curate score pairs.jsonl --policy fake:1 --reference fake:2 --reward a=fake:3"
    )
    assert "/" not in "".join(head["data"])


def test_histograms_count_every_row(page: dict[str, Any], scored: pl.DataFrame, kept: pl.DataFrame) -> None:
    assert len(page["numbers"]) > 12
    for one in page["numbers"]:
        assert sum(one["counts"]) + one["missing"] == ROWS, one["name"]
        for frame, counts in ((scored, one["counts"]), (kept, one["kept"])):
            values = frame[one["name"]].cast(pl.Float64).drop_nulls().to_list()
            edges = one["edges"]
            bars = [sum(edges[i] <= v < edges[i + 1] for v in values) for i in range(len(edges) - 1)]
            bars[-1] += sum(v == edges[-1] for v in values)
            assert counts == bars, one["name"]
        assert one["mean"] == pytest.approx(scored[one["name"]].cast(pl.Float64).mean())


def test_figures_of_all_rows_and_of_those_kept(page: dict[str, Any], scored: pl.DataFrame, kept: pl.DataFrame) -> None:
    for frame, of in ((scored, page["figures"]["all"]), (kept, {n: v[0] for n, v in page["figures"]["kept"].items()})):
        apart = (frame["chosen_tokens"] - frame["rejected_tokens"]).to_list()
        assert of["mean:dcrm"] == pytest.approx(frame["dcrm"].mean())
        assert of["longer_wins"] == pytest.approx(sum(d > 0 for d in apart) / sum(d != 0 for d in apart))
        wins = sum(1.0 if a + b > 0 else 0.5 if a + b == 0 else 0.0 for a in apart for b in apart)
        assert of["length_auc"] == pytest.approx(wins / len(apart) ** 2)
        source = next(group for group in page["groups"] if group["name"] == "source")
        for place, value in enumerate(source["values"]):
            share = sum(one == value for one in frame["source"].to_list()) / frame.height
            assert of[f"share:source:{place}"] == pytest.approx(share)
    for value, low, high in page["figures"]["control"].values():
        assert low <= value <= high


@pytest.mark.parametrize(("by", "percent"), [("dcrm", 10), ("dpo_gap", 33), ("rm_agrees", 50), ("reward_margin", 100)])
def test_the_threshold_keeps_what_select_keeps(
    page: dict[str, Any], folder: Path, tmp_path: Path, by: str, percent: int
) -> None:
    """Ties included: `rm_agrees` is 0 or 1."""
    result = curate.select(folder / "scored.parquet", tmp_path / "o.parquet", by=by, top=f"{percent}%")
    frame = pl.read_parquet(tmp_path / "o.parquet")
    curve = page["cuts"]["metrics"][by]
    assert curve["kept"][percent - 1] == result.kept
    assert curve["cut"][percent - 1] == result.cut
    assert curve["margin"][percent - 1] == pytest.approx(frame["reward_margin"].mean(), rel=1e-5)
    apart = frame["chosen_tokens"] - frame["rejected_tokens"]
    assert curve["longer"][percent - 1] == pytest.approx((apart > 0).sum() / (apart != 0).sum(), rel=1e-5)
    group = next(one for one in page["groups"] if one["name"] == "source")
    counts = [sum(one == value for one in frame["source"].to_list()) for value in group["values"]]
    assert [one[percent - 1] for one in curve["groups"]["source"]][: len(counts)] == counts


def test_agreement_of_metrics(page: dict[str, Any], scored: pl.DataFrame, folder: Path, tmp_path: Path) -> None:
    names = page["agreement"]["names"]
    i, j, low = (names.index(name) for name in ("dcrm", "reward_margin", "dpo_gap"))
    expected = scored.select(pl.corr("dcrm", "reward_margin", method="spearman")).item()
    assert page["agreement"]["spearman"][i][j] == pytest.approx(expected)
    # better end against better end: a lower dpo_gap is better
    flipped = scored.select(-pl.corr("dcrm", "dpo_gap", method="spearman")).item()
    assert page["agreement"]["spearman"][i][low] == pytest.approx(flipped)
    tops = []
    for by in ("dcrm", "dpo_gap"):
        curate.select(folder / "scored.parquet", tmp_path / f"{by}.parquet", by=by, top="10%")
        tops.append(set(pl.read_parquet(tmp_path / f"{by}.parquet")["pair_id"]))
    assert page["agreement"]["overlap"][i][low] == pytest.approx(len(tops[0] & tops[1]) / len(tops[0]))


def test_issues_count_rows_and_their_conditions_find_them(page: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    assert page["issues"]
    for issue in page["issues"]:
        if issue["where"]:
            found = curate.select(folder / "scored.parquet", tmp_path / "o.parquet", where=issue["where"])
            assert found.kept == issue["count"], issue["name"]
    assert [one["severity"] for one in page["issues"]] == sorted(
        (one["severity"] for one in page["issues"]), reverse=True
    )


def test_pairs_have_their_texts_numbers_and_ranks(page: dict[str, Any], scored: pl.DataFrame) -> None:
    rows = scored.with_row_index("row")
    best = [page["pairs"][at]["id"] for at in page["sets"]["best"]]
    assert best == scored.sort("dcrm", "pair_id", descending=[True, False])["pair_id"].head(10).to_list()
    at = [one["name"] for one in page["numbers"]].index("dcrm")
    for pair in page["pairs"]:
        row = rows.row(pair["row"], named=True)
        assert pair["id"] == row["pair_id"]
        assert "".join(text for _, text in pair["chosen"]) == row["chosen"][-1]["content"]
        assert "".join(text for _, text in pair["rejected"]) == row["rejected"][-1]["content"]
        assert pair["numbers"][at] == row["dcrm"]
        below, equal = (scored["dcrm"] < row["dcrm"]).sum(), (scored["dcrm"] == row["dcrm"]).sum()
        assert pair["best"][at] == pytest.approx((below + equal / 2) / ROWS)


def test_the_sample_of_a_small_table_is_the_table_in_the_order_of_ties(
    page: dict[str, Any], scored: pl.DataFrame
) -> None:
    ordered = scored.sort("pair_id")
    assert page["sample"]["rows"] == ROWS
    for one, text in zip(page["numbers"], page["sample"]["numbers"], strict=True):
        values = np.frombuffer(base64.b64decode(text), "<f8")
        expected = ordered[one["name"]].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        np.testing.assert_array_equal(values, expected)


def test_reward_models_are_compared(page: dict[str, Any], scored: pl.DataFrame) -> None:
    found = page["rewards"]
    one, other = (scored[f"chosen_reward_{n}"] - scored[f"rejected_reward_{n}"] for n in ("a", "b"))
    assert found["names"] == ["a", "b"]
    assert found["agree"][0][1] == pytest.approx(((one > 0) == (other > 0)).mean())
    votes = (one > 0).cast(pl.Int8) + (other > 0).cast(pl.Int8)
    assert found["votes"] == [(votes == n).sum() for n in range(3)]
    assert sum(band["rows"] for band in found["bands"]) == ROWS
    assert sum(band["agrees"] for band in found["bands"]) == (scored["reward_margin"] > 0).sum()


def test_a_large_table_is_sampled_and_its_figures_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.reporting import sample

    monkeypatch.setattr(sample, "BUDGET", 4_000)
    values = np.random.default_rng(0).normal(size=5_000)
    frame = pl.DataFrame({"x": values, "y": values**2, "kind": ["a", "b"] * 2_500})
    frame.write_parquet(tmp_path / "t.parquet")
    result = curate.report(tmp_path / "t.parquet", tmp_path / "r.html", by="y")
    page = document(tmp_path / "r.html")
    assert result.sampled == page["sample"]["rows"] < 5_000
    assert sum(number(page, "x")["counts"]) == 5_000
    assert number(page, "x")["mean"] == pytest.approx(values.mean())
    assert page["head"]["notes"][0].startswith("The table has no texts")


def test_the_same_command_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    curate.report(folder / "scored.parquet", tmp_path / "r.html", selected=folder / "kept.parquet")
    assert (tmp_path / "r.html").read_bytes() == (folder / "report.html").read_bytes()
    assert json.dumps(document(tmp_path / "r.html"))
