from pathlib import Path

import numpy as np
import polars as pl
import pytest

import curate.readers.tables as tables
from curate.readers.tables import Table, open_table


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Three files of 4, 3 and 5 rows, read two rows at a time; the second one lacks `x`."""
    monkeypatch.setattr(tables, "BATCH_ROWS", 2)
    pl.DataFrame({"x": [0.0, 1.0, None, 3.0], "name": list("abcd")}).write_parquet(tmp_path / "0.parquet")
    pl.DataFrame({"name": list("efg")}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"x": [7.0, 8.0, 9.0, 10.0, 11.0], "name": list("hijkl")}).write_parquet(tmp_path / "2.parquet")
    return open_table([str(tmp_path)])


def test_batches_of_some_columns_join_to_the_whole(parts: Table) -> None:
    joined = pl.concat([pl.DataFrame(table) for table in parts.batches(["name", "x"])])
    assert joined["x"].to_list() == [0.0, 1.0, None, 3.0, None, None, None, 7.0, 8.0, 9.0, 10.0, 11.0]
    assert "".join(joined["name"]) == "abcdefghijkl"
    assert [table.num_rows for table in parts.batches(["x"])] == [2, 2, 2, 1, 2, 2, 1]
    assert parts.rows == 12


@pytest.mark.parametrize("rows", [[], [0], [11], [1, 2, 5, 6, 7, 11], list(range(12))])
def test_taken_rows_are_those_of_the_whole_column(parts: Table, rows: list[int]) -> None:
    found = parts.taken("name", np.array(rows, dtype=np.int64))
    assert "".join(found) == "".join("abcdefghijkl"[row] for row in rows)
    assert parts.taken("x", np.array(rows, dtype=np.int64)).len() == len(rows)
