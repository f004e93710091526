"""The columns that were not read: in summaries, in manifests, with a warning where they may belong to the prompt."""

import pytest

import curate
from tests.commands.terminal import Terminal

from .helpers import candidate_rows, pair_rows, prompt_rows, read_manifest, write_jsonl

MORE = {"persona": "You are a pirate.", "batch": 3}
COMMANDS = {
    "score": (pair_rows, []),
    "pair": (candidate_rows, ["--strategy", "max-min"]),
    "generate": (prompt_rows, ["--policy", "fake:1", "-n", "1"]),
}


@pytest.fixture
def command(monkeypatch, capsys):
    return Terminal(monkeypatch, capsys)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_reading_command_says_what_it_did_not_read(tmp_path, command, name):
    make, options = COMMANDS[name]
    rows = [row | MORE for row in make(8)]
    data, out = write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o.parquet"
    code, said, notes = command(name, data, "-o", out, *options)
    assert code == 0
    unread = [column for column in ("id", "source", "persona", "batch") if column in rows[0]]
    assert f"columns not read: {', '.join(unread)}\n" in said
    assert "warning: persona was not read" in " ".join((said + notes).split())
    facts = read_manifest(out)["columns"]
    assert (facts["not_read"], facts["doubtful"]) == (unread, ["persona"])
    assert sorted(facts["read"] + facts["not_read"]) == sorted(rows[0])


def test_inspect_lists_them(tmp_path, command):
    data = write_jsonl(tmp_path / "d.jsonl", [row | MORE for row in pair_rows(4)])
    code, said, _ = command("inspect", data)
    assert code == 0
    assert "not read  id, source, persona, batch" in said and "warning: persona was not read" in said
    assert curate.inspect(data).reading.unread == ("id", "source", "persona", "batch")
    code, said, _ = command(
        "inspect", write_jsonl(tmp_path / "e.jsonl", [{"prompt": "a", "chosen": "b", "rejected": "c"}])
    )
    assert code == 0 and "not read  none" in said and "warning" not in said


def test_export_warns(tmp_path, command):
    data = write_jsonl(tmp_path / "d.jsonl", [row | MORE for row in pair_rows(4)])
    code, said, notes = command("export", data, "--to", "trl", "-o", tmp_path / "o")
    assert code == 0 and "warning: persona was not read" in " ".join((said + notes).split())


def test_score_columns_that_the_user_names_are_read(tmp_path):
    rows = [row | {"a": 1.0, "b": 0.5} for row in pair_rows(4)]
    result = curate.score(write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o.parquet", reward=("columns:a,b",))
    assert result.unread == ("id", "source")


def test_a_finished_score_says_the_same_again(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", [row | MORE for row in pair_rows(4)])
    first = curate.score(data, tmp_path / "o.parquet")
    assert curate.score(data, tmp_path / "o.parquet") == first
    assert first.unread == ("id", "source", "persona", "batch")
