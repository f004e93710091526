"""Generations that are stopped, and started again with something changed."""

import signal
import subprocess
import sys
import time

import pytest

from curate.errors import StoreError
from tests.commands.helpers import prompt_rows, run_generate, write_jsonl

SLOW = """
import time
import curate.engines.local as local
from curate.backends.fake import FakeBackend
generate = FakeBackend.generate
def slow(self, *given):
    time.sleep(0.01)
    with open("calls.txt", "a") as file:
        file.write("called\\n")
    return generate(self, *given)
FakeBackend.generate = slow
local.FLUSH_SECONDS = local.FLUSH_SHARE = 0.0
from curate.cli import main
main()
"""


def command(out: str, *more: str) -> list[str]:
    words = ["generate", "../p.jsonl", "-o", out, "--policy", "fake:1", "--policy", "fake:2", "-n", "3"]
    return [sys.executable, "-c", SLOW, *words, "--temperature", "0.5,1", "--batch-tokens", "1200", *more]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Prompts, and in `whole/` what an uninterrupted run makes of them."""
    place = tmp_path_factory.mktemp("generate")
    write_jsonl(place / "p.jsonl", [*prompt_rows(20), {"prompt": ""}])
    (place / "whole").mkdir()
    subprocess.run(command("o.parquet"), cwd=place / "whole", check=True, capture_output=True)
    return place


@pytest.mark.parametrize("number", [pytest.param(signal.SIGKILL, marks=pytest.mark.faults), signal.SIGINT])
def test_a_run_that_is_stopped_at_any_point_ends_with_the_same_bytes(place, number):
    every = len((place / "whole" / "calls.txt").read_text().splitlines())
    folder = place / number.name
    folder.mkdir()
    calls = folder / "calls.txt"
    for wanted in (every // 4, every // 2):
        running = subprocess.Popen(command("o.parquet"), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not calls.exists() or len(calls.read_text().splitlines()) < wanted:
            assert running.poll() is None, running.communicate()[1]
            time.sleep(0.005)
        running.send_signal(number)
        error = running.communicate()[1]
        assert running.returncode == (130 if number == signal.SIGINT else -9)
        assert b"Traceback" not in error
        assert not (folder / "o.parquet").exists()
    assert len(list((folder / "o.parquet.work").glob("responses-*/shard-*.parquet"))) > 2
    done = subprocess.run(command("o.parquet"), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # what was kept was not drawn again: at most the batch in hand at each stop
    assert len(calls.read_text().splitlines()) <= every + 2
    assert (folder / "o.parquet").read_bytes() == (place / "whole" / "o.parquet").read_bytes()
    assert not (folder / "o.parquet.work").exists()


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({"seed": 1}, "seed"),
        ({"samples": 5}, "samples"),
        ({"temperature": 0.5}, "temperature"),
        ({"policy": "fake:9"}, "fake:9"),
        ({"top_p": 0.5}, "top_p"),
        ({"max_tokens": 7}, "max_tokens"),
        ({"every_row": True}, "every_row"),
        ({"keep_duplicates": True}, "keep_duplicates"),
    ],
)
def test_changed_settings_on_unfinished_work_are_refused(monkeypatch, tmp_path, changed, shown):
    data = write_jsonl(tmp_path / "p.jsonl", prompt_rows())

    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("curate.writers.rejects_file.write_output", dies)
        with pytest.raises(KeyboardInterrupt):
            run_generate(data, tmp_path / "o.parquet")
    with pytest.raises(StoreError, match="other settings") as caught:
        run_generate(data, tmp_path / "o.parquet", **changed)
    assert shown in str(caught.value)
    run_generate(data, tmp_path / "o.parquet", fresh=True, **changed)
    run_generate(data, tmp_path / "n.parquet", **changed)
    assert (tmp_path / "o.parquet").read_bytes() == (tmp_path / "n.parquet").read_bytes()
