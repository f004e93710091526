"""Stopped at a call of the file system and run again, every command makes the same bytes and leaves nothing else."""

import subprocess
import sys

import pytest

# A few of the hundred calls that a case makes; `python -m tests.kills.sweep` disturbs all of every case.
SAMPLES = [
    ("kill", 2, ["select-folder", "score-file", "export-folder", "run-folder"]),
    ("full", 2, ["score-file", "export-folder", "report-file"]),
    ("gone", 2, ["generate-file", "export-folder"]),
]


@pytest.mark.parametrize(("mode", "sample", "names"), SAMPLES, ids=[mode for mode, *_ in SAMPLES])
def test_a_sample_of_stops(mode: str, sample: int, names: list[str]) -> None:
    command = [sys.executable, "-m", "tests.kills.sweep", "--mode", mode, "--sample", str(sample), *names]
    swept = subprocess.run(command, capture_output=True, text=True, check=False)
    assert swept.returncode == 0, swept.stdout + swept.stderr
    assert f"{mode}: {sample * len(names)} runs disturbed, 0 faults" in swept.stdout
