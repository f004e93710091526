"""`--max-length-gap`: the unit that is counted, the reason for each row, and tables without lengths."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import curate
from curate.errors import SettingsError
from tests.commands.helpers import candidate_rows, write_jsonl

TEXTS = [("a b c", "a"), ("a, b!", "a b c"), ("a", "a b c d e f"), ("a b", "b a")]
"""Differences in words and punctuation marks: 2, 1 (`,` and `!` count), 5, 0."""


def table(path: Path, **columns: list[Any]) -> Path:
    rows = {
        "prompt": ["p"] * len(TEXTS),
        "chosen": [one for one, _ in TEXTS],
        "rejected": [other for _, other in TEXTS],
        "row": list(range(len(TEXTS))),
    }
    pl.DataFrame(rows | columns).write_parquet(path)
    return path


def reasons(path: Path) -> dict[int, str]:
    found = pl.read_parquet(path)
    return dict(zip(found["row"], found["reject_reason"], strict=True))


@pytest.mark.parametrize(("most", "kept"), [(0, [3]), (1, [1, 3]), (2, [0, 1, 3]), (5, [0, 1, 2, 3])])
def test_words_are_counted_where_the_table_has_no_tokens(tmp_path: Path, most: int, kept: list[int]) -> None:
    data = table(tmp_path / "t.parquet")
    result = curate.select(data, tmp_path / "o.parquet", max_length_gap=most, left_out=tmp_path / "r.parquet")
    assert result.frame["row"].to_list() == kept
    assert set(reasons(tmp_path / "r.parquet").values()) <= {f"lengths differ by more than {most} words"}


def test_tokens_go_before_words_and_a_missing_length_has_its_own_reason(tmp_path: Path) -> None:
    data = table(tmp_path / "t.parquet", chosen_tokens=[10, 10, 10, None], rejected_tokens=[10, 13, 14, 10])
    result = curate.select(data, tmp_path / "o.parquet", max_length_gap=3, left_out=tmp_path / "r.parquet")
    assert result.frame["row"].to_list() == [0, 1]
    assert reasons(tmp_path / "r.parquet") == {2: "lengths differ by more than 3 tokens", 3: "no length in tokens"}


def test_shares_refer_to_the_rows_that_are_left(tmp_path: Path) -> None:
    data = table(tmp_path / "t.parquet", score=[1.0, 2.0, 9.0, 3.0])
    result = curate.select(data, tmp_path / "o.parquet", by="score", top="50%", max_length_gap=2)
    assert result.frame["row"].to_list() == [3]  # floor(3 / 2) of rows 0, 1, 3
    assert result.reasons == {"not within --top 50%": 2, "lengths differ by more than 2 words": 1}


def test_an_unreadable_row_has_no_length(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "chosen": "a", "rejected": "b"}] * 3 + [{"prompt": "p", "chosen": None, "rejected": "b"}]
    result = curate.select(write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o.parquet", max_length_gap=9)
    assert result.reasons == {"no length in words": 1}


def test_a_table_without_lengths_or_pairs_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"dcrm": [1.0]}).write_parquet(tmp_path / "numbers.parquet")
    for data in (tmp_path / "numbers.parquet", write_jsonl(tmp_path / "c.jsonl", candidate_rows(3))):
        with pytest.raises(SettingsError, match="no lengths") as caught:
            curate.select(data, tmp_path / "o.parquet", max_length_gap=2)
        assert "chosen_tokens" in caught.value.hint
        assert not (tmp_path / "o.parquet").exists()


def test_a_negative_gap_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="max_length_gap"):
        curate.select(table(tmp_path / "t.parquet"), tmp_path / "o.parquet", max_length_gap=-1)
