"""Stopped at a call of the file system and run again, every command makes the same bytes and leaves nothing else."""

import subprocess
import sys

import pytest

from tests.kills.sweep import MODES

# Of the hundred calls that a case makes.
SAMPLE = 1
SAMPLES = {
    "kill": ["select-folder", "score-file", "run-folder"],
    "full": ["export-folder", "report-file"],
    "gone": ["generate-file"],
}


def test_a_sample_of_stops() -> None:
    modes = [f"{mode}:{','.join(names)}" for mode, names in SAMPLES.items()]
    command = [sys.executable, "-m", "tests.kills.sweep", "--sample", str(SAMPLE), *modes]
    swept = subprocess.run(command, capture_output=True, text=True, check=False)
    assert swept.returncode == 0, swept.stdout + swept.stderr
    for mode, names in SAMPLES.items():
        assert f"{mode}: {SAMPLE * len(names)} runs disturbed, 0 faults" in swept.stdout


@pytest.mark.faults
@pytest.mark.parametrize("mode", MODES)
def test_every_stop(mode: str) -> None:
    command = [sys.executable, "-m", "tests.kills.sweep", mode]
    swept = subprocess.run(command, capture_output=True, text=True, check=False)
    assert swept.returncode == 0, swept.stdout + swept.stderr
