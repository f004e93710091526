"""The order of the rows that are written."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import curate
from curate.errors import CurateError
from curate.writers import rows as writer

VALUES = [2.0, None, 5.0, 2.0, -1.0, 5.0, 0.0]
TABLE = pl.DataFrame({"pair_id": list("abcdefg"), "n": VALUES, "text": [f"row {i}" for i in range(7)]})


def ids(data: object, **how: object) -> str:
    return "".join(curate.select(data, **how).frame["pair_id"])


@pytest.mark.parametrize(("sort", "order"), [("n", "cfadgeb"), ("n:highest", "cfadgeb"), ("n:lowest", "egadcfb")])
def test_rows_are_sorted_stably_and_those_without_a_value_come_last(sort: str, order: str) -> None:
    assert ids(TABLE, where="pair_id != 'x'", sort=sort) == order


def test_only_the_rows_kept_are_written_and_whole(tmp_path: Path) -> None:
    found = curate.select(TABLE, by="n", top="3", sort="n:lowest").frame
    assert found["pair_id"].to_list() == ["a", "c", "f"]
    assert found["text"].to_list() == ["row 0", "row 2", "row 5"]


@pytest.mark.parametrize("at_once", [1, 2, 3, 7])
def test_the_number_of_rows_sorted_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(writer, "SORTED_ROWS", at_once)
    assert ids(TABLE, where="pair_id != 'x'", sort="n") == "cfadgeb"


def test_a_metric_that_prefers_low_values_puts_them_first() -> None:
    frame = pl.DataFrame({"pair_id": list("abc"), "dpo_gap": [1.0, -2.0, 3.0]})
    assert ids(frame, where="dpo_gap < 9", sort="dpo_gap") == "bac"


def test_without_the_option_the_input_s_order_is_kept() -> None:
    assert ids(TABLE, by="n", top="3") == "acf"


def test_nothing_kept_is_an_empty_table() -> None:
    assert curate.select(TABLE, where="n > 99", sort="n").frame.height == 0


def test_what_cannot_be_sorted_by_is_refused() -> None:
    for wrong, what in (
        ("nothing", "neither a metric nor a column"),
        ("n:upwards", "cannot be sorted"),
        ("text", "numbers"),
    ):
        with pytest.raises(CurateError, match=what):
            curate.select(TABLE, by="n", top="3", sort=wrong)


def test_an_unknown_name_is_said_to_be_the_sorts() -> None:
    with pytest.raises(CurateError) as caught:
        curate.select(TABLE, by="n", top="3", sort="nn:lowest")
    assert caught.value.where == "--sort nn:lowest"
