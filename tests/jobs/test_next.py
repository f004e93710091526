"""The line `next:` of a summary: typed as it is, it runs, and the last one of a chain is what a user wants to see."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate.cli.app import app
from tests.commands.helpers import candidate_rows, pair_rows, write_jsonl

RUN = CliRunner()


def next_of(*words: str) -> str | None:
    """Run a command, and return the first command that it says to type next."""
    result = RUN.invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    told = [line.removeprefix("next: curate ") for line in result.stdout.splitlines() if line.startswith("next: ")]
    return told[0] if told else None


def typed(command: str | None) -> str | None:
    """Type what was told, with a model where one is to be named."""
    assert command is not None
    return next_of(*shlex.split(command.replace("MODEL", "fake:1")))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("rewards", [False, True])
def test_pairs_are_scored_selected_and_shown(rewards: bool) -> None:
    scores = {"score_chosen": 2.0, "score_rejected": 1.0} if rewards else {}
    rows = [{"q": row["prompt"], "chosen": row["chosen"], "rejected": row["rejected"], **scores} for row in pair_rows()]
    write_jsonl(Path("my pairs.jsonl"), rows)
    told = next_of("inspect", "my pairs.jsonl", "--columns", "prompt=q", "--ties", "keep", "--pairs", "1")
    models = "" if rewards else " --policy MODEL --reference MODEL"
    assert told == f"score 'my pairs.jsonl' --columns prompt=q --ties keep -o scored.parquet{models}"
    told = typed(told)
    assert told is not None and told.startswith("select scored.parquet --by ")
    assert next_of("inspect", "scored.parquet") == told
    typed(told)
    assert Path("best.parquet").is_file()


def test_candidates_are_paired() -> None:
    rows = candidate_rows()
    write_jsonl(Path("c.jsonl"), rows)
    assert next_of("inspect", "c.jsonl") == "pair c.jsonl --best-of-n2 -o pairs.parquet"
    write_jsonl(Path("c.jsonl"), [{name: row[name] for name in ("prompt", "responses")} for row in rows])
    told = next_of("inspect", "c.jsonl")
    assert told == "pair c.jsonl --best-of-n2 -o pairs.parquet --reward MODEL"
    typed(told)
    assert Path("pairs.parquet").is_file()


def test_what_comes_after_report_explain_and_export() -> None:
    write_jsonl(Path("d.jsonl"), pair_rows())
    next_of("score", "d.jsonl", "-o", "s.parquet", "--reward", "fake:1")
    told = next_of("report", "s.parquet", "-o", "r.html")
    assert told == "select s.parquet --by dcrm --top 10% -o best.parquet"
    next_of("select", "s.parquet", "--by", "dcrm", "--top", "5", "-o", "best.parquet")
    told = next_of("report", "s.parquet", "-o", "r.html", "--selected", "best.parquet")
    assert told == "show best.parquet"
    typed(told)
    assert next_of("explain", "s.parquet", "row:1") == "show s.parquet --by dcrm"
    told = next_of("explain", "s.parquet", "row:1", "--selected", "best.parquet")
    assert told == "show s.parquet --selected best.parquet"
    typed(told)
    assert next_of("export", "best.parquet", "--to", "trl", "-o", "e") == "next: cat e/README.md"
    assert Path("e/README.md").is_file()


def test_standard_input_cannot_be_read_again() -> None:
    rows = write_jsonl(Path("d.jsonl"), pair_rows()).read_bytes()
    result = RUN.invoke(app, ["inspect", "-"], input=rows, catch_exceptions=False)
    assert result.exit_code == 0 and "12 usable" in result.stdout
    assert "next:" not in result.stdout
