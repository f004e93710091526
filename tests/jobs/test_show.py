"""Pairs shown: which ones, in which order, with which numbers, and why each was kept or left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import curate
from curate.errors import CurateError
from tests.commands.helpers import candidate_rows, write_jsonl

MARGINS = [3.0, 1.0, 2.0, None, -1.0]


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    rows = [
        {
            "prompt": f"q{i}",
            "chosen": "a b c",
            "rejected": "a d",
            "score_chosen": one and one + 1,
            "score_rejected": 1.0,
        }
        for i, one in enumerate(MARGINS)
    ]
    write_jsonl(tmp_path / "d.jsonl", rows)
    curate.score(tmp_path / "d.jsonl", tmp_path / "scored.parquet")
    return tmp_path / "scored.parquet"


@pytest.fixture
def best(scored: Path) -> Path:
    curate.select(
        scored, scored.with_name("best.parquet"), by="reward_margin", top="2", left_out=scored.with_name("o.parquet")
    )
    return scored.with_name("best.parquet")


def rows(data: Path, **how: Any) -> list[int]:
    return [pair.row for pair in curate.show(data, **how).pairs]


def test_the_better_end_comes_first_and_rows_without_a_value_never(scored: Path) -> None:
    assert rows(scored, by="reward_margin", number=9) == [1, 3, 2, 5]
    assert rows(scored, by="reward_margin", worst=True, number=2) == [5, 2]
    assert rows(scored, number=2) == [1, 2]  # nothing ranks them


def test_a_pair_has_its_prompt_its_differences_and_its_numbers(scored: Path) -> None:
    pair = curate.show(scored, by="reward_margin", number=1).pairs[0]
    assert (pair.value, pair.rank) == (3.0, 1)
    assert pair.prompt == ({"role": "user", "content": "q0"},)
    assert pair.chosen == ((False, "a "), (True, "b c"))
    assert pair.rejected == ((False, "a "), (True, "d"))
    assert pair.sides["reward"] == (4.0, 1.0)
    assert pair.numbers["edit_distance"] == 2.0
    assert pair.why is None


def test_a_metric_that_the_table_lacks_is_computed(scored: Path) -> None:
    found = curate.show(scored, by="rip", number=1)
    assert (found.by, found.ranked) == ("rip", 4)


def test_the_metric_that_selected_a_file_ranks_it(best: Path) -> None:
    found = curate.show(best)
    assert (found.by, found.rule) == ("reward_margin", "--by reward_margin --top 2")
    assert [(pair.value, pair.rank, pair.why) for pair in found.pairs] == [(3.0, 1, "kept"), (2.0, 2, "kept")]


def test_lowest_first_stays_lowest_first(scored: Path) -> None:
    low = scored.with_name("low.parquet")
    curate.select(scored, low, by="reward_margin", top="2", order="lowest")
    assert [pair.value for pair in curate.show(low).pairs] == [-1.0, 1.0]
    assert [pair.value for pair in curate.show(scored, selected=low, left_out=True).pairs] == [2.0, 3.0]


def test_what_was_left_out_is_found_in_the_table_next_to_the_selection(best: Path, scored: Path) -> None:
    found = curate.show(best, left_out=True)
    assert found.pairs == curate.show(scored, selected=best, left_out=True).pairs
    assert [pair.row for pair in found.pairs] == [2, 5]
    assert found.pairs[0].why == "left out: not within --top 2; rank 3 of 4, the cut is at 2, short of it by 1"
    assert curate.show(scored, selected=best).pairs[0].why == "kept; rank 1 of 4, the cut is at 2"


def test_a_file_of_rows_left_out_says_why(best: Path) -> None:
    found = curate.show(best.with_name("o.parquet"), number=9)
    assert [pair.why for pair in found.pairs] == ["left out: not within --top 2"] * 2
    again = curate.show(best.with_name("o.parquet"), number=9, left_out=True)
    assert again.pairs == found.pairs


def test_a_table_that_changed_since_is_not_taken_for_the_one_selected_from(best: Path, scored: Path) -> None:
    curate.score(scored.with_name("d.jsonl"), scored, policy="fake:1", fresh=True)
    with pytest.raises(CurateError, match=r"\(scored.parquet\) is not next to it, or has changed"):
        curate.show(best, left_out=True)
    with pytest.raises(CurateError, match="not written by"):
        curate.show(scored, left_out=True)


def test_pairs_that_were_never_scored_can_be_shown(scored: Path) -> None:
    pair = curate.show(scored.with_name("d.jsonl"), number=1).pairs[0]
    assert (pair.pair_id, pair.sides, pair.numbers) == (None, {"reward": (4.0, 1.0)}, {})


def test_candidates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="not pairs"):
        curate.show(write_jsonl(tmp_path / "c.jsonl", candidate_rows(3)))
