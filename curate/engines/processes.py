"""Processes of this machine in which a scorer runs, each with its own copy of the model: one per GPU, or on the CPU."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import wait
from typing import Any, cast

from curate.engines.crew import Lost, Member, Said, Task
from curate.engines.worker import serve
from curate.scorers import Shares

CLOSING_SECONDS = 10.0


class Process:
    """A worker in a process of its own, as seen by its parent."""

    def __init__(self, scorer: Shares, device: str) -> None:
        self._scorer, self.device = scorer, device
        self.failures = 0
        self.start()

    def start(self) -> None:
        """Start the process and let it open the model."""
        context = get_context("spawn")
        self.opened, self.tasks = False, deque[Task]()
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        # It unblocks signals when first started, which must not happen while they are blocked here.
        resource_tracker.ensure_running()
        # The worker inherits the blocked signals; and no signal comes between its start and our knowing about it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self._send(self._scorer)

    def give(self, task: Task) -> None:
        """Hand it a batch."""
        self.tasks.append(task)
        self._send(task.batch)

    def _send(self, message: Any) -> None:
        # If it has just died, we notice when we listen to it.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)

    def kill(self) -> None:
        """Kill the process at once: it has nothing to lose."""
        self._process.kill()

    def end(self) -> str:
        """Wait until the process has exited (it closed its pipe or was killed); says how it ended."""
        self._process.join(CLOSING_SECONDS)
        self._process.kill()
        self._process.join()
        self.connection.close()
        code = self._process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


class Processes:
    """Processes of this machine.

    Args:
        devices: one per process.
    """

    advice = (
        "Check the machine's memory, or use fewer processes; in a script of your own, call curate under "
        "`if __name__ == '__main__':`. What was measured is kept."
    )

    def __init__(self, devices: Sequence[str]) -> None:
        self._devices = devices

    def members(self, scorer: Shares) -> Iterator[Process]:
        """Start a process for each device."""
        threads = max(1, (os.cpu_count() or 1) // len(self._devices))
        for device in self._devices:
            yield Process(scorer.on(device, threads if device == "cpu" else None), device)

    def joined(self) -> Sequence[Process]:
        """None: the machine does not grow."""
        return ()

    def heard(self, members: Sequence[Member]) -> Iterator[tuple[Member, Said]]:
        """Wait until some process answers or dies."""
        by_connection = {member.connection: member for member in cast(Sequence[Process], members)}
        for connection in wait(list(by_connection)):
            member = by_connection[connection]  # type: ignore[index]
            try:
                said = member.connection.recv()
            except (EOFError, OSError):
                said = Lost(member.end())
            yield member, said
