"""Benchmarks: ratios of curate to a named peer, both timed in turn in one run, with the numbers' largest difference.

    python -m tests.bench [NAME ...] [--rounds N] [--cpu-time]

Machines are noisy: only the ratios of one run mean anything, and none is asserted. --cpu-time counts the seconds of
this process's threads, for a machine that others use too (with OMP_WAIT_POLICY=passive, so that threads do not wait
busily). What was tried is in LOG.md, what was measured in results/.
"""

from __future__ import annotations

import argparse
import importlib
import os
import time

from tests.bench import timing

SECTIONS = ("logps", "rewards", "prefixes", "precision", "memory", "gpu", "pairing", "select", "scale", "startup")


def main() -> None:
    """Run the sections named on the command line, or all of them."""
    os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"})
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=SECTIONS)
    parser.add_argument("--rounds", type=int, default=timing.rounds)
    parser.add_argument("--cpu-time", action="store_true")
    given = parser.parse_args()
    timing.rounds = given.rounds
    timing.clock = time.process_time if given.cpu_time else time.perf_counter
    for name in given.sections:
        importlib.import_module(f"tests.bench.{name}").main()


if __name__ == "__main__":
    main()
