"""Files that are not what they say: damage is an error that names the file, never another value or a crash."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from curate.errors import InputError
from curate.readers import open_source
from curate.readers.files.damage import readable
from curate.readers.files.table import open_table

ROWS = 600


def write_arrow(path, array, kind, before, after):
    """An Arrow file in which some bytes are replaced by as many others."""
    batch = pa.RecordBatch.from_arrays([array], ["prompt"])
    make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with make(str(path), batch.schema) as writer:
        writer.write_batch(batch)
    content = path.read_bytes()
    assert content.count(before) == 1 and len(before) == len(after)
    path.write_bytes(content.replace(before, after))
    return path


def ints(*values):
    return np.array(values, np.int32).tobytes()


def everything(path):
    return [row for chunk in open_source([str(path)]).chunks(64) for row in chunk.rows]


@pytest.mark.parametrize("kind", ["file", "stream"])
@pytest.mark.parametrize(
    ("array", "before", "after"),
    [
        (pa.array(["abc", "defgh"]), ints(0, 3, 8), ints(0, 3, 40)),
        (pa.array(["abc", "defgh"]), ints(0, 3, 8), ints(0, 13, 8)),
        (pa.array(["abc", "defgh"]), b"abcdefgh", b"abc\xff\xfefgh"),
        (pa.array(["ab", "cd", "cd", "ab"]).dictionary_encode(), ints(0, 1, 1, 0), ints(0, 1, 7, 0)),
    ],
    ids=["beyond the data", "backwards", "not UTF-8", "not in the dictionary"],
)
def test_an_arrow_file_that_points_outside_its_data_is_refused(tmp_path, array, kind, before, after):
    path = write_arrow(tmp_path / "a.arrow", array, kind, before, after)
    with pytest.raises(InputError, match="cannot be read") as caught:
        everything(path)
    assert caught.value.where == str(path)


def parquet(path, **options):
    """Three row groups of 200 rows, the damage of tests goes into the last."""
    table = pa.table({"x": np.arange(ROWS, dtype=np.float64), "text": [f"text number {i}" for i in range(ROWS)]})
    pq.write_table(table, path, row_group_size=200, use_dictionary=False, **options)
    return path


def damage(path, column, group=2, at=900, bits=1):
    """Flip bits in the middle of a page's values."""
    place = pq.read_metadata(path).row_group(group).column(column).data_page_offset + at
    content = bytearray(path.read_bytes())
    content[place] ^= bits
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("column", [0, 1])
def test_a_page_that_fails_its_checksum_is_refused(tmp_path, column, whole):
    path = damage(parquet(tmp_path / "a.parquet", compression="none", write_page_checksum=True), column)
    assert pl.read_parquet(path).height == ROWS  # nothing else tells that a value has changed
    table = open_table([str(path)], tmp_path / "o.parquet")
    assert table.rows == ROWS
    with pytest.raises(InputError, match="CRC") as caught:
        _ = table.numbers(["x", "text"]) if whole else list(table.batches())
    assert caught.value.where == str(path)
    with pytest.raises(InputError, match="CRC"):
        everything(path)


@pytest.mark.parametrize("whole", [True, False])
def test_a_page_of_broken_text_is_refused(tmp_path, whole):
    path = damage(parquet(tmp_path / "a.parquet", compression="none"), 1, bits=0x80)
    table = open_table([str(path)], tmp_path / "o.parquet")
    with pytest.raises(InputError, match="UTF8") as caught:
        _ = table.numbers(["text"]) if whole else list(table.batches())
    assert caught.value.where == str(path)


@pytest.mark.parametrize("use", ["schema", "rows"])
def test_a_file_that_lost_its_end_after_it_was_opened_is_refused(tmp_path, use):
    table = open_table([str(parquet(tmp_path / "a.parquet"))], tmp_path / "o.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-10])
    with pytest.raises(InputError, match="cannot be read"):
        getattr(table, use)


def test_a_manifest_that_is_not_json_is_refused(tmp_path):
    pq.write_table(
        pa.table({"x": [1]}).replace_schema_metadata({"curate": '{"command": score}'}), tmp_path / "a.parquet"
    )
    with pytest.raises(InputError, match="cannot be read") as caught:
        open_table([str(tmp_path)], tmp_path / "o.parquet").manifests("curate")
    assert caught.value.where == str(tmp_path / "a.parquet")


def test_a_place_that_names_the_file_already_is_not_named_twice():
    with pytest.raises(InputError) as caught, readable("a.csv"), readable("a.csv"):
        raise ValueError("x")
    assert caught.value.where == "a.csv"
    with pytest.raises(InputError) as caught, readable("a.csv"):
        raise InputError("Two columns have the same name.", "Column: x.", "Rename one.")
    assert caught.value.where == "a.csv: Column: x."
