"""Small files that would fill the memory, and what is nested too deeply."""

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from curate.errors import InputError
from curate.readers import open_source
from curate.readers.files import csv_text as csv_files
from curate.readers.files import limits
from curate.readers.files.limits import COLUMNS, DEPTH, is_deep, is_deep_type, lines
from tests.commands.helpers import rows_of, run_generate, run_pair, run_score

PAIR = {"prompt": "p", "chosen": "a b", "rejected": "c"}


def read(path: Any) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The rows, and the rejects as (origin, reason)."""
    chunks = list(open_source([str(path)]).chunks(4))
    rejects = [(one.origin, one.reason) for chunk in chunks for one in chunk.rejects]
    return [row for chunk in chunks for row in chunk.rows], rejects


def nested(depth: int, inner: Any = 1) -> Any:
    for level in range(depth):
        inner = [inner] if level % 2 else {"a": inner}
    return inner


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(limits, "LINE_BYTES", 1000)
    monkeypatch.setattr(csv_files, "LINE_BYTES", 1000)
    monkeypatch.setattr(limits, "BLOCK", 64)


@pytest.mark.parametrize("end", [b"\n", b""])
def test_lines_of_exactly_the_limit_and_one_more(short, end):
    stream = io.BytesIO(b"ab\n" + b"x" * 999 + b"\n" + b"y" * 1000 + b"\n" + b"z" * 5000 + end)
    assert list(lines(stream, b"\n")) == [b"ab\n", b"x" * 999 + b"\n", None, None]
    assert stream.read() == b""


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_a_line_that_is_too_long_costs_that_line(short, tmp_path, suffix):
    good = json.dumps(PAIR).encode()
    content = good + b"\n" + b"0" * 50_000 + b"\n" + json.dumps({**PAIR, "x": "y" * 2000}).encode() + b"\n\n" + good
    path = tmp_path / f"d.{suffix}"
    codec = {"gz": "gzip", "zst": "zstd"}.get(suffix.rpartition(".")[2])
    path.write_bytes(content)
    if codec:
        with pa.CompressedOutputStream(str(path), codec) as stream:
            stream.write(content)
    rows, rejects = read(path)
    assert rows == [PAIR, PAIR]
    assert [origin for origin, _ in rejects] == [f"d.{suffix}:2", f"d.{suffix}:3"]
    assert {reason for _, reason in rejects} == {limits.TOO_LONG}


@pytest.mark.parametrize("rows", ["0" * 5000, "a,b," + "0" * 900 + "\n" + "0" * 5000, '"' + "x\n" * 1000 + '",a,b'])
def test_a_csv_line_or_cell_that_is_too_long_is_an_error(short, tmp_path, rows):
    path = tmp_path / "d.csv"
    path.write_text(f"prompt,chosen,rejected\np,a,b\n{rows}\n")
    with pytest.raises(InputError, match=r"longer than 64 MiB|field larger than field limit") as caught:
        read(path)
    assert caught.value.where == str(path)


def test_carriage_returns_alone_still_end_csv_lines(tmp_path):
    (tmp_path / "d.csv").write_bytes(b"prompt,chosen,rejected\rp,a,b\rq,c,d\r")
    assert [row["prompt"] for row in read(tmp_path / "d.csv")[0]] == ["p", "q"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_small_file_that_unfolds_to_a_large_array(monkeypatch, tmp_path, wrapped):
    monkeypatch.setattr(limits, "WHOLE_BYTES", 2**20)
    rows = [{**PAIR, "x": "0" * 2_000_000}]
    content = json.dumps({"data": rows} if wrapped else rows, indent=1).encode()
    (tmp_path / "d.json.gz").write_bytes(gzip.compress(content))
    with pytest.raises(InputError, match="unpacks to more than 1 MiB") as caught:
        read(tmp_path / "d.json.gz")
    assert "unpack it" in caught.value.hint
    (tmp_path / "d.json").write_bytes(content)
    assert read(tmp_path / "d.json")[0] == rows
    monkeypatch.setattr(limits, "WHOLE_BYTES", len(content))
    assert read(tmp_path / "d.json.gz")[0] == rows


def test_rows_of_ever_new_keys_are_refused_with_the_limit(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps({**PAIR, f"key {i}": i}) + "\n" for i in range(COLUMNS - 3)))
    assert len(read(path)[0]) == COLUMNS - 3
    with path.open("a") as file:
        file.write(json.dumps({"one": 1, "more": 2}))
    with pytest.raises(InputError, match="2,000 columns") as caught:
        read(path)
    assert "more" in caught.value.where
    assert "JSON text" in caught.value.hint


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_wide_tables_are_refused_with_the_limit(tmp_path, suffix):
    path = tmp_path / f"d.{suffix}"
    table = pa.table({f"c{i}": ["x"] for i in range(COLUMNS + 1)})
    if suffix == "csv":
        path.write_text(",".join(table.column_names) + "\n" + ",".join("x" for _ in table.column_names))
    elif suffix == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(InputError, match="2,000 columns"):
        read(path)


def test_depth_is_counted_in_lists_and_mappings():
    assert [is_deep(nested(depth), 3) for depth in (0, 3, 4, 5000)] == [False, False, True, True]
    assert not is_deep([[], {}, [1, "x" * 99, {"a": [None]}]], 4)
    kind = pa.int32()
    for _ in range(3):
        kind = pa.list_(pa.struct([("a", kind)]))
    assert [is_deep_type(kind, most) for most in (5, 6)] == [True, False]


@pytest.mark.parametrize("depth", [DEPTH + 1, 100, 500, 900, 980, 1000, 1200, 100_000])
@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_deep_rows_are_rejected_and_the_others_kept(tmp_path, depth, suffix):
    deep = json.dumps(PAIR)[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"
    surrogate = json.dumps(PAIR)[:-1] + ', "x": ' + "[" * depth + r'"\ud800"' + "]" * depth + "}"
    rows = [json.dumps(PAIR), deep, surrogate, json.dumps({**PAIR, "x": nested(DEPTH - 1)})]
    path = tmp_path / f"d.{suffix}"
    if suffix == "json" and depth > 900:
        path.write_text("[" + ",".join(rows) + "]")
        with pytest.raises(InputError):  # how deep a whole file may be is up to Python's parser
            if read(path):
                raise InputError("read after all")
        return
    path.write_text("\n".join(rows) if suffix == "jsonl" else "[" + ",".join(rows) + "]")
    result = run_score(path, tmp_path / "o.parquet")
    assert (result.rows, result.rejected) == (2, {limits.TOO_DEEP: 2})
    assert pq.read_table(tmp_path / "o.parquet").num_rows == 2


def test_deep_json_inside_a_text_stays_text(tmp_path):
    deep = "[" * 500 + "]" * 500
    (tmp_path / "d.jsonl").write_text(json.dumps({**PAIR, "chosen": deep}) + "\n" + json.dumps(PAIR))
    assert run_score(tmp_path / "d.jsonl", tmp_path / "o.parquet").rows == 2
    assert rows_of(tmp_path / "o.parquet")[0]["chosen"] == deep


def test_a_deep_arrow_column_is_an_error_with_its_name(tmp_path):
    kind = pa.int32()
    for _ in range(DEPTH + 2):
        kind = pa.list_(kind)
    table = pa.table({**{name: [text] for name, text in PAIR.items()}, "deep": pa.nulls(1, kind)})
    with pa.ipc.new_file(str(tmp_path / "d.arrow"), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(InputError, match="more than 32 deep") as caught:
        read(tmp_path / "d.arrow")
    assert "Column: deep" in caught.value.where


ODD = {
    "empty struct": pa.array([{}, None], pa.struct([])),
    "list of empty structs": pa.array([[{}], []], pa.list_(pa.struct([]))),
    "map of empty structs": pa.array([[("k", {})], []], pa.map_(pa.string(), pa.struct([]))),
    "struct of an empty struct": pa.array([{"a": {}, "b": 1}, None], pa.struct([("a", pa.struct([])), ("b", "int8")])),
    "union": pa.UnionArray.from_dense(
        pa.array([0, 0], pa.int8()), pa.array([0, 1], pa.int32()), [pa.array([1, 2]), pa.array(["x"])]
    ),
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array(["x"])),
}


@pytest.mark.parametrize("kind", ODD)
def test_columns_that_parquet_cannot_hold_become_text(tmp_path, kind):
    table = pa.table({**{name: [text] * 2 for name, text in PAIR.items()}, "odd": ODD[kind]})
    with pa.ipc.new_file(str(tmp_path / "d.arrow"), table.schema) as writer:
        writer.write_table(table)
    assert run_score(tmp_path / "d.arrow", tmp_path / "o.parquet").rows == 2
    assert pq.read_schema(tmp_path / "o.parquet").field("odd").type in (pa.string(), pa.large_string())


@pytest.mark.parametrize("job", ["generate", "pair"])
def test_one_of_several_files_has_nested_columns_alone(tmp_path, job):
    data = tmp_path / "data"
    data.mkdir()
    prompt = [[{"role": "user", "content": text}] for text in ("one", "two")]
    lists = {} if job == "generate" else {"responses": [["a b", "c"]] * 2, "rewards": [[1.0, 2.0]] * 2}
    pq.write_table(pa.table({"prompt": prompt, **lists}), data / "a.parquet")
    pq.write_table(pa.table({"prompt": [p[::-1] for p in prompt], **lists, "id": [7, 8]}), data / "b.parquet")
    if job == "generate":
        run_generate(data, tmp_path / "o.parquet", every_row=True)
    else:
        other = [[{"role": "user", "content": text}] for text in ("three", "four")]
        pq.write_table(pa.table({"prompt": other, **lists, "id": [7, 8]}), data / "b.parquet")
        run_pair(data, tmp_path / "o.parquet")
    assert [row["id"] for row in rows_of(tmp_path / "o.parquet")] == [None, None, 7, 8]
