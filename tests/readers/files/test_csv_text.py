"""Cells between commas, semicolons, tabs or bars: what separates them, and what they hold."""

import csv
import gzip
import io

import pytest

from curate.readers import detect, first_rows, open_source

CELLS = ["question", "answer_a", "answer_b", "winner", "score_a", "score_b"]
ROW = ["Why; so, and\thow?", "good, yes", "bad; no", "B", "1", "4"]


def written(path, mark, row):
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=mark).writerows([CELLS, row])
    content = stream.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize(
    ("name", "mark"),
    [("t.csv", ","), ("t.csv", ";"), ("t.csv", "\t"), ("t.csv", "|"), ("t.tsv", "\t"), ("t.tsv.gz", "\t")],
)
def test_the_separator_is_found_and_cells_keep_theirs(tmp_path, name, mark):
    rows = first_rows(open_source([str(written(tmp_path / name, mark, ROW))]))
    assert rows == [dict(zip(CELLS, [*ROW[:4], 1, 4], strict=True))]
    record = detect(rows).parse(rows[0])
    assert record.responses == ("bad; no", "good, yes") and record.measured["reward"] == (4.0, 1.0)


def test_decimal_commas_are_numbers_between_semicolons(tmp_path):
    path = written(tmp_path / "t.csv", ";", [*ROW[:4], "1,5", "4,5"])
    assert [first_rows(open_source([str(path)]))[0][name] for name in CELLS[4:]] == [1.5, 4.5]


def test_commas_in_the_header_of_a_tsv_separate_nothing(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("prompt\tchosen\trejected\tnotes, remarks, more, and more\nq\ta\tb\tx, y\n")
    assert first_rows(open_source([str(path)])) == [
        {"prompt": "q", "chosen": "a", "rejected": "b", "notes, remarks, more, and more": "x, y"}
    ]
