from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.readers.files import table as tables
from curate.readers.files.table import open_table
from curate.writers.rows import copy_rows
from tests.commands.helpers import read_manifest, rows_of, write_jsonl


@pytest.fixture(params=[3, 65_536], ids=["many batches", "one batch"])
def batch_rows(request, monkeypatch):
    monkeypatch.setattr(tables, "BATCH_ROWS", request.param)


ROWS = [
    {"chosen": [{"role": "user", "content": f"hé {i}"}], "n": i, "x": None if i % 4 == 0 else i / 2} for i in range(10)
]
ADDED = {
    "weight": pl.Series([None if i == 5 else i / 8 for i in range(10)]),
    "side": pl.Series(["chosen" if i % 2 else None for i in range(10)]),
    "holds": pl.Series([i > 6 for i in range(10)]),
    "flags": pl.Series([[str(i)] for i in range(10)]),
}
SLICES = {name: values.slice for name, values in ADDED.items()}


def saved(folder, *cuts):
    """The rows in consecutive Parquet files."""
    ends = [0, *cuts, len(ROWS)]
    for part, (start, end) in enumerate(pairwise(ends)):
        pq.write_table(pa.Table.from_pylist(ROWS[start:end]), folder / f"in-{part}.parquet")
    return open_table((str(folder / "in-*.parquet"),), folder / "o.parquet")


def wanted(rows=range(10)):
    return [{**ROWS[i], **{name: column.to_list()[i] for name, column in ADDED.items()}} for i in rows]


@pytest.mark.parametrize("cuts", [(), (4,), (1, 9)])
def test_rows_stay_as_they_are_and_columns_stand_beside_them(tmp_path, batch_rows, cuts):
    out = tmp_path / "o.parquet"
    assert copy_rows(saved(tmp_path, *cuts), SLICES, {"command": "x"}, out) == 10
    assert rows_of(out) == wanted()
    assert read_manifest(out) == {"command": "x"}


def test_types_are_those_that_every_reader_knows(tmp_path):
    out = tmp_path / "o.parquet"
    copy_rows(saved(tmp_path), SLICES, {}, out)
    schema = pq.read_schema(out)
    found = {name: str(schema.field(name).type) for name in ADDED}
    assert {name: kind.replace("item", "element") for name, kind in found.items()} == {
        "weight": "double",
        "side": "string",
        "holds": "bool",
        "flags": "list<element: string>",
    }


def test_a_column_of_a_known_name_takes_its_place(tmp_path, batch_rows):
    out = tmp_path / "o.parquet"
    copy_rows(saved(tmp_path), {"n": pl.Series([float(-i) for i in range(10)]).slice}, {}, out)
    assert pq.read_schema(out).names == ["chosen", "n", "x"]
    assert pl.read_parquet(out)["n"].to_list() == [-i for i in range(10)]


@pytest.mark.parametrize("kept", [[], [0], [2, 3, 9], list(range(10))])
def test_a_mask_says_which_rows(tmp_path, batch_rows, kept):
    out = tmp_path / "o.parquet"
    mask = np.array([i in kept for i in range(10)])
    assert copy_rows(saved(tmp_path, 4), SLICES, {}, out, mask) == len(kept)
    assert rows_of(out) == wanted(kept)
    assert pq.read_schema(out).names == ["chosen", "n", "x", *ADDED]


def test_a_folder_of_shards(tmp_path):
    assert copy_rows(saved(tmp_path), SLICES, {"command": "x"}, tmp_path / "out") == 10
    assert rows_of(tmp_path / "out" / "data-00000.parquet") == wanted()
    assert (tmp_path / "out" / "README.md").exists()


def test_json_lines(tmp_path, batch_rows):
    table = open_table((str(write_jsonl(tmp_path / "d.jsonl", ROWS)),), tmp_path / "o.parquet")
    assert copy_rows(table, SLICES, {}, tmp_path / "o.parquet") == 10
    assert rows_of(tmp_path / "o.parquet") == wanted()
