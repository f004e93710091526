"""Files as other programs write them: Excel, pandas, Hive, and scripts that go wrong."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import InputError
from curate.readers import detect, first_rows, open_source
from curate.readers.reading import what_is_read
from tests.readers.known.tables import ASKED, BAD, GOOD

ROW = {"prompt": ASKED, "chosen": GOOD, "rejected": BAD}
NAMES = ";".join((*ROW, "score_chosen", "score_rejected"))
MAPS = pa.list_(pa.map_(pa.string(), pa.string()))


def read(path):
    """The pairs of a file as (prompt, chosen, rejected, rewards), and the reasons of the rows that cannot be parsed."""
    source = open_source([str(path)])
    layout = detect(first_rows(source), "pairs")
    found, reasons = [], []
    for chunk in source.chunks(100):
        for record in map(layout.parse, chunk.rows):
            found.append((record.prompt[0]["content"], *record.responses, tuple(record.measured.get("reward", ()))))
        reasons += [reject.reason for reject in chunk.rejects]
    return found, reasons


def cells(*scores):
    return f"{NAMES}\n{ASKED};{GOOD};{BAD};{scores[0]};{scores[1]}\n"


@pytest.mark.parametrize(
    ("name", "text", "rewards"),
    [
        ("a.csv", cells("2,5", "1,25"), (2.5, 1.25)),
        ("a.csv", cells("1.234,5", "1.234"), (1234.5, 1.234)),
        ("a.csv", "\ufeffsep=;\r\n" + cells("2", "1"), (2.0, 1.0)),
        ("a.csv", cells("1,234.5", "7").replace(";", "|"), (1234.5, 7.0)),
        ("a.tsv", cells("2", "1").replace(";", "\t"), (2.0, 1.0)),
        ("a.json", json.dumps(ROW, indent=1), ()),
        ("a.json", json.dumps({"columns": list(ROW), "index": [0], "data": [list(ROW.values())]}), ()),
        ("a.jsonl", json.dumps([ROW], indent=1), ()),
    ],
)
def test_one_pair(tmp_path, name, text, rewards):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read(tmp_path / name) == ([(ASKED, GOOD, BAD, rewards)], [])


def test_points_that_mark_thousands(tmp_path):
    rows = "".join(f"{ASKED};{GOOD};{BAD};{score};0,5\n" for score in ("1.234", "2,5"))
    (tmp_path / "a.csv").write_text(f"{NAMES}\n{rows}")
    assert [rewards for *_, rewards in read(tmp_path / "a.csv")[0]] == [(1234.0, 0.5), (2.5, 0.5)]


def test_numbers_as_responses_stay_text(tmp_path):
    (tmp_path / "a.csv").write_text("prompt,chosen,rejected\n7 * 8,56,054\n1 + 1,2,3\n")
    assert [pair[:3] for pair in read(tmp_path / "a.csv")[0]] == [("7 * 8", "56", "054"), ("1 + 1", "2", "3")]


def test_a_key_twice_with_two_values(tmp_path):
    twice = json.dumps(ROW).replace('"rejected"', '"chosen": "other", "rejected"')
    same = json.dumps(ROW).replace('"rejected"', f'"chosen": "{GOOD}", "rejected"')
    (tmp_path / "a.jsonl").write_text(f"{same}\n{twice}\n")
    assert read(tmp_path / "a.jsonl") == ([(ASKED, GOOD, BAD, ())], ["the object names the key chosen twice"])
    (tmp_path / "a.json").write_text(f"[{same},{twice}]")
    with pytest.raises(InputError, match="names the key chosen twice"):
        read(tmp_path / "a.json")


def test_text_as_bytes_and_messages_as_maps(tmp_path):
    pq.write_table(pa.table({name: [text.encode()] for name, text in ROW.items()}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")[0] == [(ASKED, GOOD, BAD, ())]
    talks = {
        name: pa.array([[[("role", "user"), ("content", ASKED)], [("role", "assistant"), ("content", text)]]], MAPS)
        for name, text in (("chosen", GOOD), ("rejected", BAD))
    }
    pq.write_table(pa.table(talks), tmp_path / "b.parquet")
    assert read(tmp_path / "b.parquet")[0] == [(ASKED, GOOD, BAD, ())]


@pytest.mark.parametrize(
    "column",
    [
        {"img_base64": "iVBORw0KGgoAAAANSUhEUgAA"},
        {"image_file": "photos/a.png"},
        {"screenshot": "https://x.org/a.JPG?size=2"},
        {"picture": {"bytes": None, "path": "a.jpg"}},
        {"seen": "data:image/png;base64,iVBOR"},
    ],
)
def test_images_under_other_names_are_refused(column):
    with pytest.raises(InputError, match="images or sounds"):
        what_is_read(detect([ROW]), [ROW | column])


@pytest.mark.parametrize("column", [{"url": "https://x.org/a.png"}, {"image_style": "photo of a cat"}, {"frames": 3}])
def test_words_about_images_are_no_images(column):
    assert what_is_read(detect([ROW]), [ROW | column]).unread or "frames" in column
