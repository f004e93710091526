"""Named pipes, whose opening may never return, where a file is asked for."""

import os
import subprocess
import sys

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


@pytest.mark.parametrize("place", PLACES)
def test_a_pipe_is_refused_without_opening_it(tmp_path, place):
    write_jsonl(tmp_path / "d.jsonl", pair_rows())
    (tmp_path / "model").mkdir()
    for name in ("jsonl", "jsonl.gz", "parquet", "yaml", "jinja"):
        os.mkfifo(tmp_path / f"pipe.{name}")
    for name in ("config.json", "tokenizer.json", "model.safetensors", "modules.json"):
        os.mkfifo(tmp_path / "model" / name)
    words = [sys.executable, "-m", "curate", *PLACES[place]]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    shown = done.stderr.splitlines()[-3:]
    assert [line[:6] for line in shown] == ["error:", "where:", "  try:"]
    assert "pipe" in done.stderr or "model" in done.stderr
    assert not list(tmp_path.glob("o.parquet*"))
