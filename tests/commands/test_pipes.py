"""Named pipes, whose opening may never return, where a file is asked for."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.commands.helpers import pair_rows, write_jsonl

SCORE = ["score", "d.jsonl", "-o", "o.parquet"]
PLACES = {
    "score": ["score", "pipe.jsonl", "-o", "o.parquet"],
    "one of several": ["score", "d.jsonl", "pipe.jsonl", "-o", "o.parquet"],
    "compressed": ["inspect", "pipe.jsonl.gz"],
    "select": ["select", "pipe.parquet", "--by", "dcrm", "--top", "1", "-o", "o.parquet"],
    "recipe": ["run", "pipe.yaml"],
    "plan": ["run", "pipe.yaml", "--plan"],
    "chat template": [*SCORE, "--policy", "fake:1", "--chat-template", "pipe.jinja"],
    "judge's template": [*SCORE, "--reward", "judge:fake:1", "--set", "judge.template=pipe.jinja"],
    "policy": [*SCORE, "--policy", "model"],
    "model file": [*SCORE, "--policy", "./pipe.jsonl"],
    "reward model": [*SCORE, "--reward", "model"],
    "tokenizer": [*SCORE, "--tokenizer", "model"],
    "tokenizer file": [*SCORE, "--tokenizer", "./pipe.jsonl"],
    "embedder": [*SCORE, "--embedder", "model"],
}
EVERY_ONE = """
import contextlib, io, json, os, sys
from curate.cli import main
for place, words in json.load(open("places.json")).items():
    os.chdir(place)
    sys.argv, code = ["curate", *words], 0
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    os.chdir("..")
    with open(f"{place}.json", "w") as file:
        json.dump([code, said.getvalue()], file)
"""
SECONDS = 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each command said, in a process of their own that is ended when one of them waits for ever."""
    folder = tmp_path_factory.mktemp("pipes")
    for place in PLACES:
        prepare(folder / place)
    (folder / "places.json").write_text(json.dumps(PLACES))
    with suppress(subprocess.TimeoutExpired):  # a command that has said nothing fails below
        subprocess.run([sys.executable, "-c", EVERY_ONE], cwd=folder, stdout=subprocess.DEVNULL, timeout=SECONDS)
    return folder


def prepare(folder: Path) -> None:
    (folder / "model").mkdir(parents=True)
    write_jsonl(folder / "d.jsonl", pair_rows())
    for name in ("jsonl", "jsonl.gz", "parquet", "yaml", "jinja"):
        os.mkfifo(folder / f"pipe.{name}")
    for name in ("config.json", "tokenizer.json", "model.safetensors", "modules.json"):
        os.mkfifo(folder / "model" / name)


@pytest.mark.parametrize("place", PLACES)
def test_a_pipe_is_refused_without_opening_it(folder: Path, place: str) -> None:
    assert (folder / f"{place}.json").exists(), "it waits for the pipe, or a command before it does"
    code, said = json.loads((folder / f"{place}.json").read_text())
    assert code == 2, said
    shown = said.splitlines()[-3:]
    assert [line[:6] for line in shown] == ["error:", "where:", "  try:"]
    assert "pipe" in said or "model" in said
    assert not list((folder / place).glob("o.parquet*"))
