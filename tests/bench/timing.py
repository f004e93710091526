"""Timing things in turn in one process, so that ratios survive a noisy machine."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

rounds = 3
kept: TextIO | None = None
"""Where `say` writes what it prints, too."""
clock = time.perf_counter
"""Set by the command line. `cpu_clock` leaves out what others on the machine take; it adds up all threads."""


def cpu_clock() -> float:
    """Processor seconds of this process, all its threads, and the children that it waited for."""
    return sum(os.times()[:4])


def say(text: str) -> None:
    """Print a line at once."""
    for stream in (sys.stdout, kept):
        if stream is not None:
            stream.write(text + "\n")
            stream.flush()


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = clock()
    work()
    return clock() - start


def in_turn(works: Mapping[str, Callable[[], object]], warm: bool = True) -> dict[str, list[float]]:
    """Seconds of each, round by round, after one round that does not count."""
    if warm:
        for work in works.values():
            work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(timed(work))
    return taken


def ratios(taken: Mapping[str, Sequence[float]], ours: str, peer: str) -> str:
    """`2.00x (1.90 to 2.10)`: how often the peer's time holds ours; median of the rounds, and their range."""
    found = [theirs / own for own, theirs in zip(taken[ours], taken[peer], strict=True)]
    return f"{statistics.median(found):.2f}x ({min(found):.2f} to {max(found):.2f})"


def ratio(name: str, ours: Callable[[], object], peer_name: str, peer: Callable[[], object], note: str = "") -> None:
    """Time both in turn and print the median ratio peer / ours."""
    taken = in_turn({"ours": ours, "peer": peer})
    mine, other = (statistics.median(taken[one]) for one in ("ours", "peer"))
    line = f"{name}: {ratios(taken, 'ours', 'peer')} {peer_name}; {mine:.2f} s against {other:.2f} s"
    say(f"{line}{'; ' + note if note else ''}")


def matrix_rate(dtype_name: str = "float32", device: str = "cpu", size: int = 2048) -> Callable[[], float]:
    """A call that multiplies two square matrices and returns the FLOPs that this took."""
    import torch

    dtype = getattr(torch, dtype_name)
    one = torch.randn(size, size, device=device).to(dtype)
    out = torch.empty(size, size, dtype=dtype, device=device)

    def multiply() -> float:
        torch.mm(one, one, out=out)
        if device != "cpu":
            torch.cuda.synchronize()
        return 2.0 * size**3

    return multiply


def share_of_peak(work: float, taken: Mapping[str, Sequence[float]], found: Mapping[str, Sequence[float]]) -> str:
    """How fast `ours` does this many FLOPs, and how fast the machine's `matrices` (see `matrix_rate`) are."""
    rate, peak = work / min(taken["ours"]) / 1e9, sum(found["matrices"]) / min(taken["matrices"]) / 1e9
    return (
        f"{min(taken['ours']):.2f} s, {rate:.0f} GFLOP/s of the {peak:.0f} of a 2048 x 2048 product ({rate / peak:.0%})"
    )
