"""The prompts to sample, the draws they need, and the responses drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.engines.local import Found, Window
from curate.plan.generation import Draws
from curate.responses.table import Staged, messages_of
from curate.schema import SAMPLED
from curate.scorers import DrawItem
from curate.scorers.generation import Generation
from curate.storage.workspace import Workspace

ARROW = {"list<string>": pa.string(), "list<i32>": pa.int32(), "list<f64>": pa.float64()}
LISTS = {column.name: ARROW[column.type] for column in SAMPLED}
"""The output columns with one entry per response."""


@dataclass(frozen=True)
class Prompts:
    """The rows whose prompts are sampled. A draw's key is (its row's number here) x (draws per prompt) + its number.

    Attributes:
        staged: all rows.
        draws: what to draw for each.
        rows: the rows, ascending, int64 [prompts].
        occurrences: how many earlier ones have the same prompt, int64 [prompts].
    """

    staged: Staged
    draws: Draws
    rows: np.ndarray
    occurrences: np.ndarray

    @property
    def drawn(self) -> int:
        """The number of responses that each model draws."""
        return int(self.rows.size) * len(self.draws.each)

    @cached_property
    def _chunks(self) -> list[tuple[int, int, int]]:
        """For each shard with rows to sample: its number, and its range of these rows."""
        ends = np.searchsorted(self.rows, self.staged.shard_starts)
        spans = zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
        return [(number, first, last) for number, (first, last) in enumerate(spans) if last > first]

    def windows(self, model: str) -> Iterator[Window]:
        """The draws of one model, one shard of prompts at a time."""
        size = len(self.draws.each)
        for number, first, last in self._chunks:
            keys = range(first * size, last * size)
            yield keys, (lambda n=number, f=first, t=last: self._items(model, n, f, t))  # type: ignore[misc]

    def texts(self, number: int, first: int, last: int) -> list[str]:
        """The prompts of these rows, all in one shard, in canonical spelling."""
        column = self.staged.records.table(self.staged.records.paths()[number], ["prompt"])["prompt"]
        found: list[str] = column.take(self.rows[first:last] - self.staged.shard_starts[number]).to_pylist()
        return found

    def _items(self, model: str, number: int, first: int, last: int) -> list[DrawItem]:
        items, key = [], first * len(self.draws.each)
        for prompt, occurrence in zip(self.texts(number, first, last), self.occurrences[first:last], strict=True):
            messages = messages_of(prompt)
            for temperature, sample in self.draws.each:
                seed = self.draws.seed_of(model, prompt, int(occurrence), temperature, sample)
                items.append(DrawItem(key, messages, seed, temperature))
                key += 1
        return items

    def chunks(
        self, writers: Sequence[Generation], workspace: Workspace, keep_duplicates: bool
    ) -> Iterator[tuple[list[int], list[str], pa.Table, Counter[Any]]]:
        """The finished rows, one shard at a time: their numbers, prompts, list columns, and a tally.

        The tally counts by (model, temperature, what): `drawn`, `kept`, `cut` and `tokens`; the last two count
        everything drawn.
        """
        found = [Found(workspace.shards(writer.name), writer.schema) for writer in writers]
        size = len(self.draws.each)
        for number, first, last in self._chunks:
            tables = [one.between(first * size, last * size).to_pylist() for one in found]
            tally: Counter[Any] = Counter()
            columns: dict[str, list[list[Any]]] = {name: [] for name in LISTS}
            for start in range(0, (last - first) * size, size):
                rows = [
                    _entry(writer.model, temperature, one)
                    for writer, table in zip(writers, tables, strict=True)
                    for (temperature, _), one in zip(self.draws.each, table[start : start + size], strict=True)
                ]
                kept = rows if keep_duplicates else _different(rows)
                _count(tally, rows, kept)
                for name in LISTS:
                    columns[name].append([row[name] for row in kept])
            made = pa.table({name: pa.array(columns[name], pa.list_(kind)) for name, kind in LISTS.items()})
            yield self.rows[first:last].tolist(), self.texts(number, first, last), made, tally


def prompts_of(staged: Staged, draws: Draws, every_row: bool) -> Prompts:
    """The rows to sample: the first with each prompt, or all of them."""
    if every_row:
        counted = pl.DataFrame({"prompt": staged.prompts}).select(pl.int_range(pl.len()).over("prompt"))
        return Prompts(staged, draws, np.arange(staged.prompts.size), counted.to_series().to_numpy())
    rows = np.unique(staged.prompts, return_index=True)[1].astype(np.int64)
    return Prompts(staged, draws, rows, np.zeros(rows.size, np.int64))


def _different(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first row with each text."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(row["responses"], row)
    return list(found.values())


def _entry(model: str, temperature: float, one: dict[str, Any]) -> dict[str, Any]:
    return {
        "responses": one["response"],
        "finish_reasons": one["finish_reason"],
        "tokens": one["tokens"],
        "sample_logps": one["logps"],
        "models": model,
        "temperatures": temperature,
    }


def _count(tally: Counter[Any], rows: list[dict[str, Any]], kept: list[dict[str, Any]]) -> None:
    for row in rows:
        group = (row["models"], row["temperatures"])
        tally[*group, "drawn"] += 1
        tally[*group, "tokens"] += row["tokens"]
        tally[*group, "cut"] += row["finish_reasons"] == "length"
    for row in kept:
        tally[row["models"], row["temperatures"], "kept"] += 1
