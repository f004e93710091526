"""Runs a scorer, in this process or in several, storing its results in shards as they come."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np
import pyarrow as pa

from curate.engines.actors import Actors
from curate.engines.cluster import Cluster
from curate.engines.crew import Crew
from curate.engines.processes import Processes
from curate.progress import Reporter
from curate.scorers import DrawItem, JudgedPair, PairItem, Prepares, ResponseItem, Scored, Scorer, Shares
from curate.storage.shards import Shards

KEY = "key"
FLUSH_ROWS = 50_000
FLUSH_SECONDS = 5.0
FLUSH_SHARE = 0.01
"""A kill loses at most five seconds of work, or this share of the time spent, so that long runs write few files."""

Items = Sequence[ResponseItem] | Sequence[PairItem] | Sequence[JudgedPair] | Sequence[DrawItem]
Window = tuple[Sequence[int], Callable[[], Items]]
"""The keys of some items, and how to read them; a window whose keys are all done is never read."""


Devices = Sequence[str] | Cluster
"""Devices of this machine, a process each, or a Ray cluster."""


def keyed_schema(schema: pa.Schema) -> pa.Schema:
    """The schema of a scorer's shards: the key, then its columns."""
    return pa.schema([(KEY, pa.int64()), *schema])


class Keys:
    """A set of keys, one byte per key: hundreds of millions fit in memory."""

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        self._held = np.zeros(max((int(keys.max()) + 1 for keys in arrays if keys.size), default=0), bool)
        for keys in arrays:
            self._held[keys] = True
        self.count = int(self._held.sum())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, int) and 0 <= key < self._held.size and bool(self._held[key])


class Buffer:
    """Collects batches and writes a shard now and then: often enough to lose little, rarely enough to be cheap."""

    def __init__(self, schema: pa.Schema, shards: Shards) -> None:
        self._schema = keyed_schema(schema)
        self._shards = shards
        self._batches: list[Scored] = []
        self._rows = 0
        self._since = self._begun = time.monotonic()

    def add(self, batch: Scored) -> None:
        """Add a batch."""
        self._batches.append(batch)
        self._rows += len(batch.keys)
        now = time.monotonic()
        if self._rows >= FLUSH_ROWS or now - self._since >= max(FLUSH_SECONDS, FLUSH_SHARE * (now - self._begun)):
            self.flush()

    def flush(self) -> None:
        """Write what was collected."""
        batches, self._batches = self._batches, []
        if batches:
            columns: dict[str, list[Any]] = {name: [] for name in self._schema.names}
            for batch in batches:
                columns[KEY].extend(batch.keys)
                for name in self._schema.names[1:]:
                    columns[name].extend(batch.columns[name])
            self._shards.append(pa.table(columns, schema=self._schema))
        self._rows, self._since = 0, time.monotonic()


class Here:
    """Measures in this process."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def open(self) -> list[str]:
        """Load what the scorer needs."""
        return self._scorer.open()

    def measure(self, windows: Iterable[Any], done: Container[int]) -> Iterator[Scored]:
        """The numbers of the items, one window after another."""
        for items in windows:
            yield from self._scorer.score(items, done)

    def close(self) -> None:
        """Free what was loaded."""
        self._scorer.close()


def run(
    scorer: Scorer,
    windows: Iterable[Window],
    total: int | None,
    shards: Shards,
    reporter: Reporter,
    devices: Devices = (),
    unit: str = "responses",
) -> None:
    """Measure every item that is not yet in the shards. Can be interrupted at any point and called again.

    Args:
        scorer: opened only if there is work left, or its notes on opening were lost; closed again afterwards.
        windows: the items, a few thousand at a time; the same windows at every call.
        total: items in all windows; None if some of them are left to other runs.
        shards: where to store results.
        reporter: shown the progress.
        devices: where to copy a scorer that can be shared; by default this process does everything.
        unit: what the items are.
    """
    shards.sift()
    done = Keys([table[KEY].to_numpy() for table in shards.tables([KEY])])
    said_before = shards.notes() is not None
    if total is not None and done.count >= total and (said_before or not total):
        return
    buffer = Buffer(scorer.schema, shards)
    place = _place(scorer, devices, reporter)
    with reporter.step(f"loading {scorer.title}", None, unit=""):
        notes = place.open()
    shards.put_notes(notes)
    for note in notes:
        reporter.note(note)
    with reporter.step(scorer.title, total, done.count, unit) as step:
        try:
            # Closed here: left to the garbage collector, it would join its thread wherever that happens to run.
            with closing(ahead(scorer, windows, done)) as items:
                for batch in place.measure(items, done):
                    buffer.add(batch)
                    step.advance(len(batch.keys), batch.tokens)
        finally:
            try:
                buffer.flush()
            finally:
                place.close()


def _place(scorer: Scorer, devices: Devices, reporter: Reporter) -> Here | Crew:
    if not isinstance(scorer, Shares):
        return Here(scorer)
    if isinstance(devices, Cluster):
        return Crew(scorer, Actors(devices, reporter.note), reporter.note)
    return Crew(scorer, Processes(devices), reporter.note) if len(devices) > 1 else Here(scorer)


def ahead(scorer: Scorer, windows: Iterable[Window], done: Container[int]) -> Generator[Any, None, None]:
    """The items of each window with work left, read and prepared while the previous window is measured."""
    prepare: Callable[[Items], Any] = scorer.prepare if isinstance(scorer, Prepares) else lambda items: items
    coming: Future[Any] | None = None
    thread = ThreadPoolExecutor(1)
    try:
        for keys, read in windows:
            if all(key in done for key in keys):
                continue
            ready, coming = coming, thread.submit(lambda read=read: prepare(read()))  # type: ignore[misc]
            if ready is not None:
                yield ready.result()
        if coming is not None:
            yield coming.result()
    finally:
        thread.shutdown(cancel_futures=True)


def results(scorer: Scorer, shards: Shards, size: int) -> dict[str, np.ndarray]:
    """The numbers of a scorer by key: a float64 array of length `size` for each column, NaN if a key has no value.

    Integers stay exact (they are below 2**53), booleans become 0 and 1, columns of texts and of lists are left out.
    """
    found: dict[str, np.ndarray] = {}
    left_out = (pa.types.is_string, pa.types.is_list)
    numeric = [field.name for field in scorer.schema if not any(is_one(field.type) for is_one in left_out)]
    table = shards.read(keyed_schema(scorer.schema), [KEY, *numeric]).select([KEY, *numeric])
    keys = table[KEY].to_numpy()
    for name in numeric:
        found[name] = np.full(size, np.nan)
        found[name][keys] = table[name].cast(pa.float64()).to_numpy()
    return found


class Found:
    """All columns of a scorer's results, looked up by key; opens only shards with some of the keys."""

    def __init__(self, shards: Shards, schema: pa.Schema) -> None:
        self._schema, self._shards = keyed_schema(schema), shards
        self._spans = [(path, *_span(shards.table(path, [KEY]))) for path in shards.paths()]

    def between(self, first: int, last: int) -> pa.Table:
        """The rows with first <= key < last, in key order, each key once."""
        tables = [self._shards.table(path) for path, low, high in self._spans if low < last and high >= first]
        table = pa.concat_tables(tables) if tables else self._schema.empty_table()
        keys = table[KEY].to_numpy()
        inside = np.flatnonzero((keys >= first) & (keys < last))
        return table.take(inside[np.unique(keys[inside], return_index=True)[1]])


def _span(table: pa.Table) -> tuple[int, int]:
    keys = table[KEY].to_numpy()
    return int(keys.min()), int(keys.max())


def counts(shards: Shards, column: str) -> Counter[str]:
    """How often each value of a text column occurs in the shards."""
    total: Counter[str] = Counter()
    seen: set[int] = set()
    for table in shards.tables([KEY, column]):
        for key, value in zip(table[KEY].to_pylist(), table[column].to_pylist(), strict=True):
            if key not in seen:
                total[value] += 1
        seen.update(table[KEY].to_pylist())
    return total
