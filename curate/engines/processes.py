"""Runs a scorer in several processes, each with its own copy of the model: one per GPU, or several on a CPU.

The parent reads and cuts the items into the same batches as a single process would, and hands each to a worker,
longest first. Numbers come back in any order, with their keys. A worker that dies is restarted, and its unfinished
batches are handed out again.
"""

from __future__ import annotations

import heapq
import os
import signal
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import wait
from typing import Any

from curate.engines.worker import Failed, Opened, serve
from curate.errors import ModelError, first_line
from curate.scorers import Batch, Cut, Scored, Shares

TRIES = 3
"""How often a batch may crash its worker, or a worker crash in a row, before we give up."""
CLOSING_SECONDS = 10.0
SHOWN_KEYS = 8


@dataclass(order=True)
class Task:
    """A batch to measure; the smallest is next."""

    rank: tuple[int, int]
    batch: Batch = field(compare=False)
    tries: int = field(default=0, compare=False)


class Member:
    """A worker as seen by its parent.

    Attributes:
        opened: whether its model is open.
        tasks: batches given to it and not yet answered; it is working on the first.
        failures: how often it died since its last answer.
    """

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


class Crew:
    """Several workers of one scorer.

    Args:
        scorer: what they measure.
        devices: one per worker.
        say: receives what the user should know.
    """

    def __init__(self, scorer: Shares, devices: Sequence[str], say: Callable[[str], None]) -> None:
        self._scorer, self._devices, self._say = scorer, devices, say
        self._members: list[Member] = []
        self._waiting: list[Task] = []
        self._opened: Opened | None = None

    def open(self) -> list[str]:
        """Start the workers and wait until the first has opened its model; returns its notes. The others follow.

        Raises:
            ModelError: no process stays alive.
            Exception: whatever opening raised.
        """
        threads = max(1, (os.cpu_count() or 1) // len(self._devices))
        try:
            for device in self._devices:
                scorer = self._scorer.on(device, threads if device == "cpu" else None)
                self._members.append(Member(scorer, device))
            while self._opened is None:
                list(self._hear())
        except BaseException:
            self.close()
            raise
        return self._opened.notes

    def measure(self, windows: Iterable[Any], done: Container[int]) -> Iterator[Scored]:
        """The numbers of all batches with keys that are not done, in any order.

        Raises:
            ModelError: a batch crashed its worker three times, or no worker stays alive.
            Exception: whatever a worker's scorer raised.
        """
        assert self._opened is not None, "open() comes first"
        cutting, number, source = True, 0, iter(windows)
        while cutting or self._waiting or any(member.tasks for member in self._members):
            while cutting and len(self._waiting) <= len(self._members):
                items = next(source, None)
                cutting = items is not None
                for batch in self._scorer.batches(items, self._opened.cut) if cutting else ():
                    if not all(key in done for key in batch.keys):
                        heapq.heappush(self._waiting, Task((-batch.tokens, number), batch))
                        number += 1
            self._hand_out()
            if any(member.tasks for member in self._members) or self._waiting:
                yield from self._hear()

    def close(self) -> None:
        """End all workers."""
        members, self._members, self._waiting = self._members, [], []
        for member in members:
            member.kill()
        for member in members:
            member.end()

    def _hand_out(self) -> None:
        """Give each worker a batch, and a second one while there are enough for all, so that it never has to wait."""
        for held in (0, 1):
            for member in self._members:
                enough = self._waiting and (held == 0 or len(self._waiting) > len(self._members))
                if enough and member.opened and len(member.tasks) == held:
                    member.give(heapq.heappop(self._waiting))

    def _hear(self) -> Iterator[Scored]:
        """Wait until a worker answers or dies."""
        by_connection: dict[Any, Member] = {member.connection: member for member in self._members}
        for connection in wait(list(by_connection)):
            member = by_connection[connection]
            try:
                said = member.connection.recv()
            except (EOFError, OSError):
                self._lost(member, member.end())
                continue
            if isinstance(said, Failed):
                if not said.again:
                    raise said.error
                member.kill()
                member.end()
                self._lost(member, first_line(said.error))
            elif isinstance(said, Opened):
                self._check_cut(member, said)
                member.opened = True
            else:
                member.failures = 0
                member.tasks.popleft()
                yield said

    def _check_cut(self, member: Member, said: Opened) -> None:
        """Refuse workers that would cut the rows differently: not all numbers would be those of a single process."""
        self._opened = self._opened or said
        if said.cut != self._opened.cut:
            difference = _difference(said.cut, self._opened.cut)
            raise ModelError(
                f"The model runs differently on {member.device} than on another device: {difference}.",
                self._scorer.title,
                "Use one device, or several of one kind.",
            )

    def _lost(self, member: Member, how: str) -> None:
        """A worker died: hand out its batches again and restart it, unless that is hopeless.

        Raises:
            ModelError: a batch crashed its workers too often, or it was the last worker and crashed too often.
        """
        member.failures += 1
        if member.tasks:
            first = member.tasks[0]
            first.tries += 1
            if first.tries >= TRIES:
                raise self._hopeless_batch(first.batch, how)
        for task in member.tasks:
            heapq.heappush(self._waiting, task)
        if member.failures < TRIES:
            member.start()
            return
        self._members.remove(member)
        what = f"The process on {member.device} crashed {TRIES} times in a row ({how})"
        if not self._members:
            raise ModelError(
                f"{what}, and no other is left.",
                self._scorer.title,
                "Check the machine's memory, or use fewer processes; in a script of your own, call curate under "
                "`if __name__ == '__main__':`. What was measured is kept.",
            )
        self._say(f"{self._scorer.title}: {what}; the others continue without it.")

    def _hopeless_batch(self, batch: Batch, how: str) -> ModelError:
        keys = sorted(batch.keys)
        more = f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
        return ModelError(
            f"A worker process crashed {TRIES} times on the same batch ({how}).",
            f"{self._scorer.title}, items {', '.join(map(str, keys[:SHOWN_KEYS]))}{more} (counted from 0)",
            "Lower --batch-tokens or --max-length, or use fewer processes. What was measured is kept.",
        )


def _difference(one: Cut, other: Cut) -> str:
    """Where two cuts differ, in words."""
    names = {"budget": "tokens of a batch", "packs": "packed", "one_length": "one length a batch"}
    pairs = [(said, getattr(one, name), getattr(other, name)) for name, said in names.items()]
    return ", ".join(f"{said} {a}, not {b}" for said, a, b in pairs if a != b)
