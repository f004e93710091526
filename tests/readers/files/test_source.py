import csv
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from curate.errors import InputError
from curate.readers import first_rows, open_source
from curate.readers.files import json_text as json_files
from tests.examples import examples

ROWS = [{"prompt": f"p{n}", "chosen": f"c{n}\nline", "score": n + 0.5} for n in range(7)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def rows_of(source, size=3):
    return [row for chunk in source.chunks(size) for row in chunk.rows]


def csv_text(rows):
    lines = [",".join(rows[0])]
    lines += [",".join('"' + str(cell).replace('"', '""') + '"' for cell in row.values()) for row in rows]
    return "\n".join(lines).encode()


def write(path, rows=ROWS):
    name = path.name
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    content = csv_text(rows) if ".csv" in name else lines
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    if name.endswith(".arrow"):
        table = pa.Table.from_pylist(rows)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
        return path
    if name.endswith(".gz"):
        content = gzip.compress(content)
    elif name.endswith(".zst"):
        content = pa.compress(content, codec="zstd", asbytes=True)
    path.write_bytes(content)
    return path


NAMES = ["a.parquet", "a.arrow"] + [
    f"a.{kind}{more}" for kind in ("json", "jsonl", "csv") for more in ("", ".gz", ".zst")
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_every_format_gives_the_same_rows(tmp_path, name, size):
    source = open_source([str(write(tmp_path / name))])
    chunks = list(source.chunks(size))
    assert [row for chunk in chunks for row in chunk.rows] == ROWS
    assert all(chunk.table.to_pylist() == list(chunk.rows) and len(chunk.rows) <= size for chunk in chunks)
    assert [origin for chunk in chunks for origin in chunk.origins] == [f"{name}:{n}" for n in range(1, 8)]
    again = list(source.chunks(size))
    assert [chunk.origins for chunk in again] == [chunk.origins for chunk in chunks]


def test_arrow_file_format(tmp_path):
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(tmp_path / "f.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    assert rows_of(open_source([str(tmp_path / "f.arrow")])) == ROWS


def test_json_array_is_told_by_its_first_character(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf \n " + json.dumps([*ROWS, 3, {}], indent=1).encode())
    chunks = list(open_source([str(tmp_path / "a.json")]).chunks(4))
    assert [row for chunk in chunks for row in chunk.rows] == ROWS
    assert chunks[0].origins[0] == "a.json:1"
    rejects = [(one.origin, one.reason) for chunk in chunks for one in chunk.rejects]
    assert rejects == [("a.json:8", "the line is not a JSON object"), ("a.json:9", "the row has no columns")]


def test_broken_lines_are_rejects_with_their_line(tmp_path):
    path = tmp_path / "b.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"a": 1}\n\n   \n{"a": \n[1]\n{"a": NaN}\n{"a": "\xff"}\n{"a": "\\ud800"}\n{}\n'
        + b"[" * 100_000
        + b'\n{"a": "\\ud83d\\ude00"}'
    )
    chunks = list(open_source([str(path)]).chunks(100))
    (chunk,) = chunks
    assert chunk.origins == ["b.jsonl:1", "b.jsonl:6", "b.jsonl:11"]
    assert [one.origin.rpartition(":")[2] for one in chunk.rejects] == ["4", "5", "7", "8", "9", "10"]
    assert [one.reason for one in chunk.rejects] == [
        "the line is not valid JSON",
        "the line is not a JSON object",
        "the line is not valid UTF-8",
        "the text holds half a surrogate pair",
        "the row has no columns",
        "the row is nested more than 32 deep",
    ]
    assert chunk.rejects[0].raw == '{"a": '
    assert chunk.rows[2] == {"a": "\U0001f600"}


def test_rejects_count_towards_the_size_of_a_chunk(tmp_path):
    (tmp_path / "b.jsonl").write_text("x\n" * 10 + '{"a": 1}\n' + "y\n" * 3)
    chunks = list(open_source([str(tmp_path / "b.jsonl")]).chunks(4))
    assert [(len(chunk.rows), len(chunk.rejects)) for chunk in chunks] == [(0, 4), (0, 4), (1, 3), (0, 2)]


def test_mixed_columns_keep_their_rows(tmp_path):
    rows = [{"x": 1}, {"x": "a", "meta": {}}, {"x": [1, "b"]}]
    source = open_source([str(write(tmp_path / "m.jsonl", rows))])
    (chunk,) = source.chunks(10)
    assert list(chunk.rows) == rows
    assert chunk.table.to_pylist() == [
        {"x": "1", "meta": None},
        {"x": "a", "meta": "{}"},
        {"x": '[1, "b"]', "meta": None},
    ]


def test_csv_types_do_not_depend_on_the_cut(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("n,f,id,b,t,none\n1,2,007,true,a,\n2,,008,FALSE,,\n3,nan,9,true,5,\n")
    for size in (1, 10):
        rows = rows_of(open_source([str(path)]), size)
        assert [row["n"] for row in rows] == [1, 2, 3]
        assert rows[0]["f"] == 2.0 and rows[1]["f"] is None
        assert [row["id"] for row in rows] == ["007", "008", "9"]
        assert [row["b"] for row in rows] == [True, False, True]
        assert [row["t"] for row in rows] == ["a", "", "5"]
        assert [row["none"] for row in rows] == ["", "", ""]


def test_csv_bad_rows_are_rejects_and_cells_may_be_long(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,x\n2\n3,\xff\n4," + b"y" * 200_000 + b"\n")
    (chunk,) = open_source([str(path)]).chunks(10)
    assert [row["a"] for row in chunk.rows] == [1, 4]
    assert [(one.origin, one.reason) for one in chunk.rejects] == [
        ("t.csv:2", "the row does not have as many cells as the header"),
        ("t.csv:3", "the row is not valid UTF-8"),
    ]


@examples(1, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_any_text_survives_csv_and_json(tmp_path, texts):
    with (tmp_path / "r.csv").open("w", newline="", encoding="utf-8") as sink:
        writer = csv.writer(sink, quoting=csv.QUOTE_ALL)
        writer.writerows([["mark", "text"], *([f"m{n}", text] for n, text in enumerate([*texts, "word"]))])
    (tmp_path / "r.jsonl").write_bytes(
        "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts).encode()
    )
    assert [row["text"] for row in rows_of(open_source([str(tmp_path / "r.csv")]))] == [*texts, "word"]
    assert [row["text"] for row in rows_of(open_source([str(tmp_path / "r.jsonl")]))] == texts


def test_several_files_are_cut_at_their_ends_and_read_once(tmp_path):
    one, two = write(tmp_path / "1.jsonl"), write(tmp_path / "2.parquet", [{"other": True}])
    source = open_source([str(two), str(tmp_path / "*.jsonl"), str(one)])
    assert [len(chunk.rows) for chunk in source.chunks(5)] == [1, 5, 2]
    assert [entry["name"] for entry in source.fingerprints()] == ["2.parquet", "1.jsonl"]


def test_fingerprints_follow_the_contents_not_the_place(tmp_path):
    (tmp_path / "x").mkdir()
    prints = [open_source([str(write(folder / "a.jsonl"))]).fingerprints() for folder in (tmp_path, tmp_path / "x")]
    assert prints[0] == prints[1]
    assert prints[0][0]["bytes"] == len(LINES) and len(prints[0][0]["blake2b"]) == 32
    changed = open_source([str(write(tmp_path / "a.jsonl", ROWS[:-1]))]).fingerprints()
    assert changed != prints[0]


def test_chunks_need_a_size(tmp_path):
    with pytest.raises(ValueError, match="at least one row"):
        list(open_source([str(write(tmp_path / "a.jsonl"))]).chunks(0))


BROKEN = {
    "empty.jsonl": b"",
    "empty.json": b"",
    "empty.csv": b"",
    "empty.jsonl.gz": b"",
    "header.csv": b"a,b\n",
    "twice.csv": b"a,a\n1,2\n",
    "none.json": b"[]",
    "cut.json": b'[{"a": 1}',
    "words.jsonl": b"hello\nworld\n",
    "garbage.parquet": b"PAR1 this is no parquet PAR1",
    "empty.parquet": b"",
    "garbage.arrow": b"nothing of the kind",
    "garbage.jsonl.gz": b"not gzip",
    "cut.jsonl.gz": gzip.compress(LINES)[:-9],
    "garbage.csv.zst": b"not zstd",
    "text.txt": b"a",
    "text.gz": b"a",
    "bare": b"a",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_says_so_in_three_parts(tmp_path, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(InputError) as caught:
        open_source([str(tmp_path / name)])
    assert caught.value.what and name in caught.value.where and caught.value.hint


def test_a_broken_file_among_good_ones_is_found_at_once(tmp_path):
    write(tmp_path / "a.jsonl")
    (tmp_path / "b.parquet").write_bytes(b"x" * 100)
    with pytest.raises(InputError) as caught:
        open_source([str(tmp_path)])
    assert "b.parquet" in caught.value.where


def test_first_failure_is_named_when_no_row_can_be_read(tmp_path):
    (tmp_path / "w.jsonl").write_text("hello\n")
    with pytest.raises(InputError) as caught:
        open_source([str(tmp_path / "w.jsonl")])
    assert "w.jsonl:1" in caught.value.hint


def test_no_data_at_all():
    with pytest.raises(InputError):
        open_source([])


@pytest.mark.parametrize("mark", [";", "\t", "|", ","])
def test_other_separators_of_csv(tmp_path, mark):
    path = tmp_path / "d.csv"
    path.write_text(
        mark.join(["prompt", "chosen", "score"])
        + "\n"
        + mark.join(["q, then", "g", "2"]).replace("q, then", '"q, then"')
    )
    (chunk,) = open_source([str(path)]).chunks(10)
    assert chunk.rows == [{"prompt": "q, then", "chosen": "g", "score": 2}]


def test_decimal_commas_stand_between_semicolons_only(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("a;b;c\n1,5;2;x\n-3;1,25;1,5\n")
    (chunk,) = open_source([str(path)]).chunks(10)
    assert chunk.rows == [{"a": 1.5, "b": 2.0, "c": "x"}, {"a": -3.0, "b": 1.25, "c": "1,5"}]
    path.write_text('a,b\n"1,500",2\n')
    (chunk,) = open_source([str(path)]).chunks(10)
    assert chunk.rows == [{"a": "1,500", "b": 2}]


def test_the_first_rows_are_kept_from_opening(tmp_path, monkeypatch):
    rows = [{"n": n} for n in range(700)]
    for start, end, name in ((0, 100, "a.json"), (100, 500, "b.json"), (500, 700, "c.json")):
        (tmp_path / name).write_text(json.dumps([*rows[start:end], 3]))
    opened: list[str] = []
    real = json_files.open_bytes
    monkeypatch.setattr(json_files, "open_bytes", lambda path: opened.append(path.name) or real(path))
    source = open_source([str(tmp_path)])
    looked = len(opened)
    head = first_rows(source)
    assert head == rows[: len(head)] and 256 <= len(head) < 600
    assert len(opened) == looked  # nothing is read again for them
    head.clear()
    assert first_rows(source) == rows[: len(first_rows(source))] != []
    assert rows_of(source) == rows
