"""`--dry-run`: says what would happen, refuses what the command would, and leaves nothing behind."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.commands.helpers import pair_rows, prompt_rows, write_jsonl
from tests.commands.terminal import Terminal

MODELS = ["--policy", "fake:1", "--reference", "fake:2"]


@pytest.fixture
def curate(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    write_jsonl(Path("d.jsonl"), pair_rows())
    write_jsonl(Path("p.jsonl"), prompt_rows(3))
    terminal = Terminal(monkeypatch, capsys)
    terminal("score", "d.jsonl", "-o", "s.parquet", *MODELS)
    return terminal


COMMANDS = {
    "score": ["score", "d.jsonl", "-o", "x.parquet", *MODELS],
    "generate": ["generate", "p.jsonl", "-o", "x.parquet", "--policy", "fake:1", "-n", "2"],
    "pair": ["pair", "d.jsonl", "-o", "x.parquet"],
    "select": ["select", "s.parquet", "-o", "x.parquet", "--by", "dcrm", "--top", "3", "--left-out", "y.parquet"],
    "weigh": ["weigh", "s.parquet", "-o", "x.parquet", "--method", "bpo"],
    "export": ["export", "s.parquet", "-o", "x", "--to", "trl"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_written(curate, command, tmp_path):
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    code, out, err = curate(*COMMANDS[command], "--dry-run")
    assert code == 0, err
    assert out.rstrip().endswith("Nothing was written: leave out --dry-run to run it.")
    assert "wrote" not in out and "/curate-" not in out + err
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_what_is_foretold_comes_true(curate):
    told = json.loads(curate(*COMMANDS["score"], "--dry-run", "--json")[1])
    assert (told["rows"], told["writes"], told["at_most"]) == (12, 12, False)
    assert [one["role"] for one in told["models"]] == ["policy", "reference"]
    curate(*COMMANDS["score"])
    made = pl.read_parquet("x.parquet")
    assert set(told["columns"]) == set(made.columns) - set(pl.read_ndjson("d.jsonl").columns)
    assert made.height == told["writes"]


def test_a_selection_is_the_one_that_would_be_made(curate):
    tried = curate(*COMMANDS["select"], "--dry-run")[1].splitlines()
    made = curate(*COMMANDS["select"])[1].splitlines()
    assert tried[:-1] == made[: len(tried) - 1]
    assert "3 of 12 rows kept by dcrm" in tried[0]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["score", "d.jsonl", "-o", "x.parquet", "--policy", "nowhere/at-all"], "nowhere/at-all"),
        (["pair", "d.jsonl", "-o", "x.parquet", "--by", "beez"], "no metric beez"),
        (["select", "s.parquet", "-o", "x.parquet", "--by", "dcrm", "--top", "lots"], "lots"),
        (
            ["select", "s.parquet", "-o", "x.parquet", "--by", "dcrm", "--top", "3", "--left-out", "x.parquet"],
            "replace",
        ),
        (["export", "s.parquet", "-o", "x", "--to", "nothing"], "no format nothing"),
    ],
)
def test_what_the_command_would_refuse_is_refused(curate, words, what):
    code, _, err = curate(*words, "--dry-run")
    assert code == 2
    assert what in err
