"""One pair explained, against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import curate
from curate.errors import CurateError
from tests.commands.helpers import write_jsonl

MARGINS = [3.0, 1.0, 2.0, 2.0, -1.0]


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    rows = [
        {
            "prompt": f"q{i}",
            "chosen": "a b c",
            "rejected": "a d",
            "score_chosen": margin + 1,
            "score_rejected": 1.0,
            "source": "xy"[i % 2],
        }
        for i, margin in enumerate(MARGINS)
    ]
    write_jsonl(tmp_path / "d.jsonl", rows)
    curate.score(tmp_path / "d.jsonl", tmp_path / "scored.parquet")
    return tmp_path / "scored.parquet"


def selected(scored: Path, **how: Any) -> Path:
    curate.select(scored, scored.with_name("best.parquet"), **how)
    return scored.with_name("best.parquet")


def test_a_percentile_counts_the_smaller_values_and_half_of_the_equal_ones(scored: Path) -> None:
    percentiles = []
    for row in range(1, 6):
        found = curate.explain(scored, f"row:{row}")
        percentiles.append(next(one.number.percentile for one in found.metrics if one.number.name == "reward_margin"))
    # Of five values: 4 smaller and itself; 1 and itself; 2 smaller and two equal, twice; itself.
    assert percentiles == [90.0, 30.0, 60.0, 60.0, 10.0]


def test_a_metric_shows_what_it_read_and_with_which_parameters(scored: Path) -> None:
    found = curate.explain(scored, "row:1")
    dcrm = next(one for one in found.metrics if one.number.name == "dcrm")
    assert dcrm.reads == {"reward_margin": 3.0, "edit_distance": 2.0}
    assert dcrm.parameters["eps"] == 1.0
    assert dcrm.better == "higher"
    assert {one.name for one in found.numbers} >= {"chosen_reward", "edit_distance", "score_chosen"}
    assert (found.row, found.rows) == (1, 5)
    assert found.texts["prompt"] == "q0"


def test_parameters_are_those_of_the_run_that_computed_the_metric(scored: Path) -> None:
    again = scored.with_name("again.parquet")
    curate.score(scored.with_name("d.jsonl"), again, options={"dcrm": {"eps": 7.0}})
    found = curate.explain(again, "row:1")
    assert next(one for one in found.metrics if one.number.name == "dcrm").parameters["eps"] == 7.0


def test_a_dropped_pair_is_told_how_far_it_was_from_the_cut(scored: Path) -> None:
    best = selected(scored, by="reward_margin", top="2")
    verdict = curate.explain(scored, "row:2", selected=best).verdict
    assert verdict is not None
    assert (verdict.reason, verdict.rule) == ("not within --top 2", "--by reward_margin --top 2")
    assert (verdict.value, verdict.cut, verdict.distance) == (1.0, 2.0, -1.0)
    assert (verdict.rank, verdict.ranked) == (4, 5)


def test_a_kept_pair_is_told_how_far_beyond_the_cut_it_is(scored: Path) -> None:
    best = selected(scored, by="reward_margin", top="2")
    verdict = curate.explain(scored, "row:1", selected=best).verdict
    assert verdict is not None
    assert (verdict.reason, verdict.distance, verdict.rank) == (None, 1.0, 1)


def test_lowest_first_measures_the_distance_downwards(scored: Path) -> None:
    best = selected(scored, by="reward_margin", top="2", order="lowest")
    verdict = curate.explain(scored, "row:1", selected=best).verdict
    assert verdict is not None
    assert (verdict.cut, verdict.distance, verdict.rank) == (1.0, -2.0, 5)


def test_a_condition_is_named_as_the_reason(scored: Path) -> None:
    best = selected(scored, by="reward_margin", top="50%", where="source = 'x'")
    verdict = curate.explain(scored, "row:2", selected=best).verdict
    assert verdict is not None
    assert verdict.reason is not None
    assert "source = 'x'" in verdict.reason


def test_flags_are_named_as_the_reason_and_in_the_rule(scored: Path) -> None:
    best = selected(scored, by="reward_margin", top="100%", drop_flags=("empty", "rm_disagrees"))
    reasons = [curate.explain(scored, f"row:{row}", selected=best).verdict for row in (1, 5)]
    assert {one.reason for one in reasons if one} == {None, "flag rm_disagrees"}
    assert reasons[0] is not None and "--drop-flags empty,rm_disagrees" in reasons[0].rule


def test_a_group_has_its_own_cut(scored: Path) -> None:
    best = selected(scored, by="reward_margin", top="1", per="source")
    verdict = curate.explain(scored, "row:2", selected=best).verdict
    assert verdict is not None
    # In group y: margins 1 and 2.
    assert (verdict.cut, verdict.distance, verdict.rank, verdict.ranked) == (2.0, -1.0, 2, 2)


def test_a_preset_is_decided_again(scored: Path) -> None:
    curate.score(scored.with_name("d.jsonl"), scored.with_name("p.parquet"), policy="fake:1", reference="fake:2")
    best = selected(scored.with_name("p.parquet"), preset="dpo-gap", top="2")
    reasons = [
        curate.explain(scored.with_name("p.parquet"), f"row:{row}", selected=best).verdict.reason  # type: ignore[union-attr]
        for row in range(1, 6)
    ]
    assert reasons.count(None) == 2


def test_an_id_may_be_shortened_but_must_name_one_pair(scored: Path) -> None:
    ids = pl.read_parquet(scored)["pair_id"].to_list()
    assert curate.explain(scored, ids[2][:8]).pair_id == ids[2]
    missing = [("row:6", "no row 6"), ("row:0", "no row 0"), ("row:0", "rows 1 to 5")]
    for wrong, what in (("zz", "No pair"), ("", "No pair"), *missing):
        with pytest.raises(CurateError, match=what):
            curate.explain(scored, wrong)


def test_ids_that_begin_alike_are_listed(tmp_path: Path) -> None:
    pl.DataFrame({"pair_id": ["ab1", "ab2", "b"], "n": [1, 2, 3]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(CurateError, match="Several") as caught:
        curate.explain(tmp_path / "t.parquet", "ab")
    assert "ab1, ab2" in caught.value.hint


@pytest.mark.parametrize("other", ["scored", "another table"])
def test_a_selection_of_something_else_is_refused(scored: Path, other: str) -> None:
    if other == "scored":
        with pytest.raises(CurateError, match="not written by"):
            curate.explain(scored, "row:1", selected=scored)
        return
    best = selected(scored, by="reward_margin", top="2")
    shorter = scored.with_name("shorter.parquet")
    curate.select(scored, shorter, by="reward_margin", top="4")
    with pytest.raises(CurateError, match="It kept 2 of 5 rows; from this table it would keep 2 of 4"):
        curate.explain(shorter, "row:1", selected=best)
