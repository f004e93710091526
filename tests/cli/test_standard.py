"""`-`: data from standard input in any format, rows to standard output, and nothing else there."""

import gzip
import io
import json
import sys

import polars as pl
import pytest

from tests.commands.helpers import pair_rows
from tests.commands.terminal import Terminal

ROWS = pair_rows(6)
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def parquet() -> bytes:
    held = io.BytesIO()
    pl.DataFrame(ROWS).write_parquet(held)
    return held.getvalue()


@pytest.fixture
def curate(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    terminal = Terminal(monkeypatch, capsys)

    def run(content, *words):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return terminal(*words)

    return run


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        b"\xef\xbb\xbf" + LINES,
        json.dumps(ROWS).encode(),
        gzip.compress(LINES),
        parquet(),
        pl.DataFrame(ROWS).write_csv().encode(),
    ],
    ids=["jsonl", "BOM", "json", "gzip", "parquet", "csv"],
)
def test_any_format_is_recognised(curate, content):
    code, out, err = curate(content, "inspect", "-")
    assert code == 0, err
    assert "6 usable, 0 not" in out


def test_commands_can_be_piped_into_each_other(curate, tmp_path):
    _, scored, err = curate(LINES, "score", "-", "-o", "-")
    assert "6 pairs scored" in err
    rows = [json.loads(line) for line in scored.splitlines()]
    assert [row["id"] for row in rows] == list(range(6))
    assert all(isinstance(row["reward_margin"], float) for row in rows)
    code, best, err = curate(scored.encode(), "select", "-", "-o", "-", "--by", "reward_margin", "--top", "2")
    assert code == 0
    assert len(best.splitlines()) == 2
    assert "2 of 6 rows kept" in err
    assert "curate-" not in err  # the temporary folder concerns nobody
    assert list(tmp_path.iterdir()) == []


def test_the_same_rows_as_through_files(curate, tmp_path):
    (tmp_path / "d.jsonl").write_bytes(LINES)
    curate(b"", "score", "d.jsonl", "-o", "s.parquet")
    _, out, _ = curate(LINES, "score", "-", "-o", "-", "--quiet")
    assert [json.loads(line) for line in out.splitlines()] == pl.read_parquet("s.parquet").to_dicts()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["score", "-", "-", "-o", "x.parquet"], "read only once"),
        (["export", "-", "-o", "-", "--to", "trl"], "does not write rows"),
        (["score", "-", "-o", "-", "--json"], "both go to standard output"),
    ],
)
def test_what_cannot_be_is_refused(curate, words, what):
    code, out, err = curate(LINES, *words)
    assert (code, out) == (2, "")
    assert what in err


def test_nothing_in_is_an_error(curate):
    assert "Standard input is empty." in curate(b" \n", "inspect", "-")[2]
