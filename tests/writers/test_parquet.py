import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.writers import parquet
from curate.writers.card import dataset_card
from curate.writers.parquet import grouped, write_output

SCHEMA = pa.schema([("n", pa.int64()), ("dcrm", pa.float64())])


def tables(*sizes):
    start = 0
    for size in sizes:
        yield pa.table({"n": range(start, start + size), "dcrm": [0.5] * size}, schema=SCHEMA)
        start += size


def write(out, pieces, manifest=None):
    return write_output(pieces, SCHEMA, manifest or {"a": "é"}, out)


def test_the_manifest_comes_back(tmp_path):
    assert write(tmp_path / "o.parquet", tables(3, 4)) == 7
    assert json.loads(pq.read_schema(tmp_path / "o.parquet").metadata[b"curate"]) == {"a": "é"}
    assert pq.read_table(tmp_path / "o.parquet")["n"].to_pylist() == list(range(7))


def test_an_empty_table_has_its_columns(tmp_path):
    for name in ("o.parquet", "o"):
        assert write(tmp_path / name, tables(0)) == 0
    assert pq.read_schema(tmp_path / "o.parquet").names == ["n", "dcrm"]
    assert pq.read_schema(tmp_path / "o" / "data-00000.parquet").names == ["n", "dcrm"]


def test_rows_are_grouped_however_they_come(monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_ROWS", 10)
    found = list(grouped(tables(3, 4, 5, 25, 1), SCHEMA))
    assert all(group.num_rows <= 10 for group in found)
    assert [n for group in found for n in group["n"].to_pylist()] == list(range(38))


def test_a_folder_is_cut_into_files_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_ROWS", 10)
    monkeypatch.setattr(parquet, "FILE_ROWS", 20)
    assert write(tmp_path / "o", tables(10, 10, 10, 5)) == 35
    files = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert files == ["README.md", "data-00000.parquet", "data-00001.parquet", "plot-values.png"]
    numbers = [n for name in files[1:3] for n in pq.read_table(tmp_path / "o" / name)["n"].to_pylist()]
    assert numbers == list(range(35))


@pytest.mark.parametrize("name", ["o.parquet", "o"])
def test_what_stood_there_stays_until_the_new_is_whole(tmp_path, name):
    out = tmp_path / name
    write(out, tables(2))
    before = (out if out.is_file() else out / "data-00000.parquet").read_bytes()

    def dies():
        yield from tables(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(out, dies())
    assert (out if out.is_file() else out / "data-00000.parquet").read_bytes() == before
    assert write(out, tables(3)) == 3


def test_the_card_explains_every_column():
    manifest = {"command": "score", "version": "1"}
    card = dataset_card("set", SCHEMA, manifest, 1234)
    assert card.startswith("---\n")
    assert "1,234 rows, made by `curate score`." in card
    assert "| `n` | int64 |  | from the input |" in card
    assert "Reward margin per distance" in card
    assert json.loads(card.split("```json\n")[1].split("```")[0]) == manifest


def test_a_column_name_cannot_break_the_cards_table():
    card = dataset_card("set", pa.schema([("a|b\nc", pa.int64())]), {}, 1)
    (row,) = [line for line in card.splitlines() if "int64" in line]
    assert row.replace("\\|", "").count("|") == 5
