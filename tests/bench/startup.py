"""Starting up."""

from __future__ import annotations

import subprocess
import sys

from tests.bench.timing import ratio


def main() -> None:
    """`curate --help` against an empty Python."""
    command = [sys.executable, "-m", "curate", "--help"]
    ours = lambda: subprocess.run(command, check=True, capture_output=True)  # noqa: E731
    empty = lambda: subprocess.run([sys.executable, "-c", ""], check=True)  # noqa: E731
    ratio("startup", ours, "an empty Python", empty)
