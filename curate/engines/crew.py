"""Hands a scorer's batches to workers, each with its own copy of the model, wherever they run.

The driver reads and cuts the items into the same batches as a single process would, and hands each to a worker,
longest first. Numbers come back in any order, with their keys. A worker that dies is restarted, and its unfinished
batches are handed out again.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from curate.engines.worker import Failed, Opened
from curate.errors import ModelError, first_line
from curate.scorers import Batch, Scored, Shares

TRIES = 3
"""How often a batch may crash its worker, or a worker crash in a row, before we give up."""
SHOWN_KEYS = 8


@dataclass(order=True)
class Task:
    """A batch to measure; the smallest is next."""

    rank: tuple[int, int]
    batch: Batch = field(compare=False)
    tries: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Lost:
    """A worker died.

    Attributes:
        how: as the middle of a sentence.
        with_machine: whether its whole machine went away, which is not the fault of a batch or of the worker.
    """

    how: str
    with_machine: bool = False


Said = Opened | Failed | Scored | Lost


class Member(Protocol):
    """A worker as seen by the driver.

    Attributes:
        device: where it runs, for people.
        opened: whether its model is open.
        tasks: batches given to it and not yet answered; it is working on the first.
        failures: how often it died since its last answer.
    """

    device: str
    opened: bool
    tasks: deque[Task]
    failures: int

    def start(self) -> None:
        """Start it, again after it ended, and let it open the model."""

    def give(self, task: Task) -> None:
        """Hand it a batch."""

    def kill(self) -> None:
        """Kill it at once: it has nothing to lose."""

    def end(self) -> str:
        """Wait until it has ended; says how."""


class Place(Protocol):
    """Where workers run.

    Attributes:
        advice: what to try if none of them lives.
    """

    advice: str

    def members(self, scorer: Shares) -> Iterator[Member]:
        """Start the workers, one after another."""

    def joined(self) -> Sequence[Member]:
        """Workers for which there has come to be room since they were last counted; started."""

    def heard(self, members: Sequence[Member]) -> Iterator[tuple[Member, Said]]:
        """Wait for answers, for a while or until there is one; they come in the order of each worker's tasks."""


class Crew:
    """Several workers of one scorer.

    Args:
        scorer: what they measure.
        place: where they run.
        say: receives what the user should know.
    """

    def __init__(self, scorer: Shares, place: Place, say: Callable[[str], None]) -> None:
        self._scorer, self._place, self._say = scorer, place, say
        self._members: list[Member] = []
        self._waiting: list[Task] = []
        self._opened: Opened | None = None

    def open(self) -> list[str]:
        """Start the workers and wait until the first has opened its model; returns its notes. The others follow.

        Raises:
            ModelError: no process stays alive.
            Exception: whatever opening raised.
        """
        try:
            for member in self._place.members(self._scorer):
                self._members.append(member)
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
            self._members += self._place.joined()
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
        for member, said in self._place.heard(self._members):
            if isinstance(said, Lost):
                self._lost(member, said)
            elif isinstance(said, Failed):
                if not said.again:
                    raise said.error
                member.kill()
                member.end()
                self._lost(member, Lost(first_line(said.error)))
            elif isinstance(said, Opened):
                self._check_alike(member, said)
                member.opened = True
            else:
                member.failures = 0
                member.tasks.popleft()
                yield said

    def _check_alike(self, member: Member, said: Opened) -> None:
        """Refuse workers that would cut or round differently: not all numbers would be those of a single process."""
        self._opened = self._opened or said
        difference = _difference(said, self._opened)
        if difference:
            raise ModelError(
                f"The model runs differently on {member.device} than on another device: {difference}.",
                self._scorer.title,
                "Use one device, or several of one kind.",
            )

    def _lost(self, member: Member, lost: Lost) -> None:
        """A worker died: hand out its batches again and restart it, unless that is hopeless.

        Raises:
            ModelError: a batch crashed its workers too often, or it was the last worker and crashed too often.
        """
        member.failures += not lost.with_machine
        if member.tasks and not lost.with_machine:
            first = member.tasks[0]
            first.tries += 1
            if first.tries >= TRIES:
                raise self._hopeless_batch(first.batch, lost.how)
        for task in member.tasks:
            heapq.heappush(self._waiting, task)
        if member.failures < TRIES:
            member.start()
            return
        self._members.remove(member)
        what = f"The process on {member.device} crashed {TRIES} times in a row ({lost.how})"
        if not self._members:
            raise ModelError(f"{what}, and no other is left.", self._scorer.title, self._place.advice)
        self._say(f"{self._scorer.title}: {what}; the others continue without it.")

    def _hopeless_batch(self, batch: Batch, how: str) -> ModelError:
        keys = sorted(batch.keys)
        more = f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
        return ModelError(
            f"A worker process crashed {TRIES} times on the same batch ({how}).",
            f"{self._scorer.title}, items {', '.join(str(key + 1) for key in keys[:SHOWN_KEYS])}{more}, counted from 1",
            "Lower --batch-tokens or --max-length, or use fewer processes. What was measured is kept.",
        )


def _difference(one: Opened, other: Opened) -> str:
    """Where two workers differ in how they cut or round, in words."""
    names = {"budget": "tokens of a batch", "packs": "packed", "one_length": "one length a batch"}
    pairs = [(said, getattr(one.cut, name), getattr(other.cut, name)) for name, said in names.items()]
    pairs.append(("the GPU", one.gpu, other.gpu))
    return ", ".join(f"{said} {a}, not {b}" for said, a, b in pairs if a != b)
