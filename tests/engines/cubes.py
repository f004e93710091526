"""A scorer that other processes can import, and that ends them where it is told to."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.scorers import Batch, Cut, Scored

BATCH = 4


class Unportable(Exception):
    """Cannot be made again from its pickle."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


@dataclass
class Cubes:
    """Yields the cube of each key, in batches of four; a batch costs the sum of its keys.

    Attributes:
        folder: where it notes what it did, and where.
        ends_at: the key whose batch kills its process, `ends` times.
        fails_at: the key whose batch raises `error`, `ends` times.
        bad: devices on which opening ends the process.
        together: processes that must have opened before any batch is measured.
    """

    folder: Path
    ends_at: int | None = None
    ends: int = 1
    fails_at: int | None = None
    error: Exception | None = None
    bad: tuple[str, ...] = ()
    together: int = 1
    device: str = "here"
    threads: int | None = None
    name: str = "cubes"
    title: str = "cubes"

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([("number", pa.float64())])

    def open(self) -> list[str]:
        self._note(f"opened-{os.getpid()}")
        if self.device in self.bad:
            os.kill(os.getpid(), signal.SIGKILL)
        return [f"threads {self.threads}"]

    def score(self, items: Sequence[Any], done: Container[int]) -> Iterator[Scored]:
        for batch in self.batches(items, self.cut()):
            if not all(key in done for key in batch.keys):
                yield self.measure(batch)

    def on(self, device: str, threads: int | None) -> Cubes:
        return replace(self, device=device, threads=threads)

    def cut(self) -> Cut:
        return Cut(7 if self.device == "odd" else BATCH)

    def batches(self, items: Sequence[Any], cut: Cut) -> Iterator[Batch]:
        for start in range(0, len(items), cut.budget):
            keys = [item.key for item in items[start : start + cut.budget]]
            yield Batch(keys, keys, sum(keys))

    def measure(self, batch: Batch) -> Scored:
        while len(list(self.folder.glob("opened-*"))) < self.together:
            time.sleep(0.005)
        ended = len(list(self.folder.glob("ended-*")))
        if self.ends_at in batch.keys and ended < self.ends:
            self._note(f"ended-{ended}")
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fails_at in batch.keys and ended < self.ends:
            self._note(f"ended-{ended}")
            assert self.error is not None
            raise self.error
        with (self.folder / f"measured-{os.getpid()}").open("a") as file:
            file.write(f"{batch.keys[0]}\n")
        return Scored(batch.keys, {"number": [key**3 for key in batch.rows]}, batch.tokens)

    def facts(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        self._note("closed")

    def _note(self, name: str) -> None:
        (self.folder / name).touch()
