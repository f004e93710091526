from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate.readers.files.table as tables
from curate.readers.files import json_text as json_files
from curate.readers.files.table import Table, column_names, open_table


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Three files of 4, 3 and 5 rows, read two rows at a time; the second one lacks `x`."""
    monkeypatch.setattr(tables, "BATCH_ROWS", 2)
    pl.DataFrame({"x": [0.0, 1.0, None, 3.0], "name": list("abcd")}).write_parquet(tmp_path / "0.parquet")
    pl.DataFrame({"name": list("efg")}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"x": [7.0, 8.0, 9.0, 10.0, 11.0], "name": list("hijkl")}).write_parquet(tmp_path / "2.parquet")
    return open_table([str(tmp_path)], tmp_path / "o.parquet")


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


@pytest.mark.parametrize("rows", [[], [0], [3, 4], [11], [2, 6, 7, 10], list(range(12))])
@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_whole_rows_are_those_of_their_numbers(parts: Table, tmp_path: Path, rows: list[int], kind: str) -> None:
    whole = pl.concat([pl.DataFrame(one) for one in parts.batches()])
    if kind == "jsonl":
        whole.write_ndjson(tmp_path / "all.jsonl")
        parts = open_table([str(tmp_path / "all.jsonl")], tmp_path / "o.parquet")
    assert pl.DataFrame(parts.at(np.array(rows, np.int64))).equals(whole[rows])


def test_whole_rows_are_read_from_their_row_groups_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pl.DataFrame({"x": range(20)}).write_parquet(tmp_path / "a.parquet", row_group_size=5)
    read: list[int] = []
    real = tables.row_group
    monkeypatch.setattr(
        tables, "row_group", lambda path, number, rows: (read.append(number), real(path, number, rows))[1]
    )
    found = open_table([str(tmp_path / "a.parquet")], tmp_path / "o.parquet").at(np.array([6, 9, 19]))
    assert (found["x"].to_pylist(), read) == ([6, 9, 19], [1, 3])


def with_manifest(path: Path, command: str) -> Path:
    table = pa.table({"x": [1.0]}).replace_schema_metadata({"curate": f'{{"command": "{command}"}}'})
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize("name", ["a.parquet", "A.PARQUET", "a.Parquet"])
def test_parquet_is_read_by_columns_however_its_suffix_is_spelled(tmp_path: Path, name: str) -> None:
    path = with_manifest(tmp_path / name, "score")
    table = open_table([str(tmp_path)], tmp_path / "o.parquet")
    assert table.parquet == (path,)
    assert table.manifests("curate") == [{"command": "score"}]


def test_manifests_survive_files_of_another_format_among_them(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"x": 2.5, "y": "z"}\n{broken\n{"x": 3}\n')
    with_manifest(tmp_path / "a.parquet", "score")
    with_manifest(tmp_path / "c.PARQUET", "weigh")
    table = open_table([str(tmp_path)], tmp_path / "o.parquet")
    assert [one["command"] for one in table.manifests("curate")] == ["score", "weigh"]
    assert (table.parquet, table.rows, table.schema.names) == ((), 4, ["x", "y"])
    assert table.numbers(["x"])["x"].to_list() == [1.0, 2.5, 3.0, 1.0]
    assert table.taken("y", np.array([1, 3])).to_list() == ["z", None]


def test_files_that_are_not_parquet_are_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.jsonl").write_text("".join(f'{{"x": {i}, "name": "n{i}"}}\n' for i in range(500)) + "{broken\n")
    table = open_table([str(tmp_path)], tmp_path / "o.parquet")
    parsed: list[bytes] = []
    real = json_files.parse_json

    def counted(line: bytes) -> tuple[object, str | None]:
        parsed.append(line)
        return real(line)

    monkeypatch.setattr(json_files, "parse_json", counted)
    assert (table.rows, table.schema.names, table.rejected) == (500, ["x", "name"], {"the line is not valid JSON": 1})
    assert table.numbers(["x"])["x"].sum() == sum(range(500))
    assert [row["row"] for piece in table.rejects() for row in piece.to_pylist()] == ["{broken"]
    assert sum(piece.num_rows for piece in table.batches()) == 500
    assert len(parsed) == 501
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.jsonl"]


def test_column_names_are_those_of_all_rows(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"x": 1}\n' * 300 + '{"late": 1}\n')
    assert column_names([str(tmp_path / "b.jsonl")]) == {"x", "late"}
    with_manifest(tmp_path / "a.parquet", "score")
    assert column_names([str(tmp_path / "a.parquet")]) == {"x"}
