"""Benchmarks: ratios of curate to a named peer, both timed in turn in one run, with the numbers' largest difference.

    python -m tests.bench [NAME ...] [--rounds N] [--cpu-time] [--save]

Machines are noisy: only the ratios of one run mean anything, and none is asserted. --cpu-time counts the seconds of
this process's threads and children, for a machine that others use too (with OMP_WAIT_POLICY=passive, so that threads do
not wait busily). --save also adds what is printed to a file of results/. What was tried is in LOG.md.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import re
import subprocess
import time
from contextlib import ExitStack, suppress
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from curate.version import __version__
from tests.bench import timing
from tests.bench.contenders import VLLM_PYTHON

SECTIONS = ("logps", "rewards", "prefixes", "precision", "memory", "gpu", "pairing", "select", "scale", "startup")
PACKAGES = ("torch", "transformers", "trl", "rapidfuzz", "polars")
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the sections named on the command line, or all of them."""
    os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"})
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("sections", nargs="*", metavar="NAME", help=", ".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=timing.rounds)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    if unknown := set(given.sections) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(unknown)}")
    timing.rounds = given.rounds
    timing.clock = timing.cpu_clock if given.cpu_time else time.perf_counter
    with ExitStack() as stack:
        device = device_name()
        if given.save:
            RESULTS.mkdir(exist_ok=True)
            path = RESULTS / f"{date.today()}-{re.sub('[^A-Za-z0-9]+', '-', device).strip('-').lower()}.txt"
            timing.kept = stack.enter_context(path.open("a"))
        timing.say(f"# {date.today()}, {device}, {os.cpu_count()} cores; rounds: {timing.rounds}")
        timing.say(f"# {', '.join(versions())}")
        for name in given.sections or SECTIONS:
            importlib.import_module(f"tests.bench.{name}").main()


def device_name() -> str:
    """The GPU where there is one, else the processor."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    told = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"model name\s*:\s*(.+)", told)
    return found[1] if found else platform.processor() or platform.machine()


def versions() -> list[str]:
    """Of curate, Python, and the packages that the numbers depend on."""
    found = [f"curate {__version__}", f"Python {platform.python_version()}"]
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    if VLLM_PYTHON.exists():
        ask = "import vllm; print(vllm.__version__)"
        said = subprocess.run([str(VLLM_PYTHON), "-c", ask], capture_output=True, text=True, check=True)
        found.append(f"vllm {said.stdout.split()[-1]}")
    return found


if __name__ == "__main__":
    main()
