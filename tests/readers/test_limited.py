"""Only the first rows: across files and chunks, with what could not be parsed among them."""

import json
from pathlib import Path

import polars as pl
import pytest

import curate
from curate.errors import CurateError
from curate.readers import open_source
from tests.commands.helpers import candidate_rows, pair_rows, prompt_rows, write_jsonl


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    """Twelve rows in two files, after whose third and fifth are broken lines."""
    rows = pair_rows()
    write_jsonl(tmp_path / "a.jsonl", [*rows[:3], "{broken", *rows[3:5], "{broken", rows[5]])
    write_jsonl(tmp_path / "b.jsonl", rows[6:])
    return [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]


@pytest.mark.parametrize("chunk", [1, 2, 100])
@pytest.mark.parametrize(("limit", "broken"), [(1, 0), (3, 0), (4, 1), (5, 1), (6, 2), (8, 2), (12, 2), (99, 2)])
def test_the_first_rows_are_read_however_they_are_cut(data: list[str], chunk: int, limit: int, broken: int) -> None:
    chunks = list(open_source(data, None, limit).chunks(chunk))
    assert [row["id"] for one in chunks for row in one.rows] == list(range(min(limit, 12)))
    assert all(one.table.num_rows == len(one.rows) == len(one.origins) for one in chunks)
    found = sum(len(one.rejects) for one in chunks)
    # A broken line at the end of a whole chunk belongs to it.
    assert broken <= found <= broken + 1


def test_every_command_that_takes_time_takes_a_limit(tmp_path: Path) -> None:
    pairs = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    assert curate.inspect(pairs, limit=5).rows == 5
    assert curate.score(pairs, limit=5).rows == 5
    assert curate.pair(write_jsonl(tmp_path / "c.jsonl", candidate_rows(6)), limit=2).prompts == 2
    found = curate.generate(write_jsonl(tmp_path / "p.jsonl", prompt_rows(4)), policy="fake:1", samples=1, limit=2)
    assert found.rows == 2


def test_the_manifest_says_so_and_another_limit_is_another_run(tmp_path: Path) -> None:
    pairs = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    curate.score(pairs, tmp_path / "s.parquet", limit=5)
    manifest = json.loads(pl.read_parquet_metadata(tmp_path / "s.parquet")["curate"])
    assert manifest["settings"]["limit"] == 5
    curate.score(pairs, tmp_path / "s.parquet")
    assert pl.read_parquet(tmp_path / "s.parquet").height == 12
    assert "limit" not in json.loads(pl.read_parquet_metadata(tmp_path / "s.parquet")["curate"])["settings"]


def test_no_rows_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="limit"):
        curate.inspect(write_jsonl(tmp_path / "d.jsonl", pair_rows()), limit=0)
