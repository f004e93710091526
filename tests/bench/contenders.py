"""Contenders, each in a process of its own, so that none runs with another's allocator, threads or caches."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import timing

VLLM_PYTHON = Path(__file__).resolve().parents[2] / ".venv-vllm" / "bin" / "python"
"""Made by `make test-vllm`; peers of vLLM are left out where it is missing."""


@dataclass(frozen=True)
class Contender:
    """Something to be timed.

    Attributes:
        make: called once in the contender's process; what it returns is called in each round, and timed.
        arguments: of `make`.
        python: the interpreter; that of another environment for a peer that cannot live in this one.
    """

    make: Callable[..., Callable[[], Any]]
    arguments: tuple[Any, ...] = ()
    python: Path = Path(sys.executable)


def race(contenders: Mapping[str, Contender]) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Let them run in turn, round by round, after one round that does not count.

    Returns:
        Seconds per name and round, and what each returned in the last round.
    """
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    found: dict[str, Any] = {}
    running = {name: _start(one) for name, one in contenders.items()}
    try:
        for counts in [False] + [True] * timing.rounds:
            for name, process in running.items():
                _send(process, None)
                seconds, found[name] = pickle.load(process.stdout)
                taken[name] += [seconds] if counts else []
    finally:
        for process in running.values():
            process.kill()
            process.communicate()
    return taken, found


def _start(contender: Contender) -> subprocess.Popen[bytes]:
    command = [str(contender.python), "-m", "tests.bench.contenders"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    _send(process, (timing.clock is timing.cpu_clock, contender.make, contender.arguments))
    return process


def _send(process: subprocess.Popen[bytes], what: Any) -> None:
    pickle.dump(what, process.stdin)
    process.stdin.flush()


def _serve() -> None:
    # What libraries print must not stand between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asked = sys.stdin.buffer
    cpu_time, make, arguments = pickle.load(asked)
    work, clock = make(*arguments), timing.cpu_clock if cpu_time else time.perf_counter
    while True:
        pickle.load(asked)
        start = clock()
        found = work()
        pickle.dump((clock() - start, found), answers)
        answers.flush()


if __name__ == "__main__":
    _serve()
