"""Rows of any layout, read once and staged on disk in one standard form.

Every response gets a slot, in data order; equal responses to the same prompt share the first one's slot as their
name, and are measured once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute

from curate.engines.local import Window
from curate.schema import FINISH_REASON, MODEL, Message
from curate.scorers import JudgedPair, PairItem, ResponseItem
from curate.storage.shards import Shards

MEASURED, CALLS = "measured_", "calls"
TEXTS = (FINISH_REASON, MODEL)
"""Measurements of a response that are text."""
WITH_TOOLS = r'\["tools?",|\{"tool_calls":'
"""In the one spelling of a prompt with tools; within a text a quotation mark has a backslash before it."""


@dataclass(frozen=True)
class Staged:
    """Staged rows: numbers in memory, texts in shards.

    Attributes:
        rows: shards of the input's columns.
        records: shards of prompt, responses, pair and text flags, aligned with `rows`.
        rejects: shards of the rejected rows.
        counts: number of responses of each row, int64 [rows].
        names: for each slot the slot measured for it (itself, or an earlier equal one), int64 [slots].
        measured: values from the data by field name, float64 [slots], NaN for null.
        shard_rows: number of rows in each shard.
        cut: whether a response hit the length limit when it was generated, bool [slots].
        pairs: positions of each row's chosen and rejected response, -1 if it names none, int64 [rows, 2].
        prompts: for each row a number shared by equal prompts, in order of first appearance, int64 [rows].
    """

    rows: Shards
    records: Shards
    rejects: Shards
    counts: np.ndarray
    names: np.ndarray
    measured: dict[str, np.ndarray] = field(default_factory=dict)
    shard_rows: tuple[int, ...] = ()
    cut: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    pairs: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    prompts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @cached_property
    def first_slots(self) -> np.ndarray:
        """The first slot of each row, then the number of slots: int64 [rows + 1]."""
        return np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64)

    @cached_property
    def shard_starts(self) -> np.ndarray:
        """The first row of each shard, then the number of rows: int64 [shards + 1]."""
        return np.concatenate([[0], np.cumsum(self.shard_rows)]).astype(np.int64)

    @cached_property
    def has_tools(self) -> bool:
        """Whether a row has tools, or calls of them."""
        for path in self.records.paths():
            prompts = self.records.table(path, ["prompt"])["prompt"]
            if (
                CALLS in self.records.schema(path).names
                or pa.compute.any(pa.compute.match_substring_regex(prompts, WITH_TOOLS)).as_py()
            ):
                return True
        return False

    def texts(self, path: Any) -> pa.Table:
        """Prompts and responses of one shard, and the tools that the responses call, if any."""
        held = self.records.schema(path).names
        return self.records.table(path, [name for name in ("prompt", "responses", CALLS) if name in held])

    def by_shard(self, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Ascending rows, grouped by shard number."""
        numbers = np.searchsorted(self.shard_starts, rows, side="right") - 1
        for number in np.unique(numbers).tolist():
            yield number, rows[numbers == number]

    def response_windows(self) -> Iterator[Window]:
        """The responses to measure, one shard at a time."""
        starts, row = self.first_slots, 0
        for path, rows in zip(self.records.paths(), self.shard_rows, strict=True):
            slots = np.arange(starts[row], starts[row + rows])
            keys = slots[self.names[slots] == slots].tolist()
            yield keys, (lambda path=path, first=int(starts[row]), keys=keys: self._response_items(path, first, keys))  # type: ignore[misc]
            row += rows

    def judging_windows(self) -> Iterator[Window]:
        """The pairs with their prompts, keyed by row, one shard at a time."""
        row = 0
        for path, rows in zip(self.records.paths(), self.shard_rows, strict=True):
            yield range(row, row + rows), (lambda path=path, row=row: self._judged_pairs(path, row))  # type: ignore[misc]
            row += rows

    def pair_windows(self) -> Iterator[Window]:
        """The texts of pairs, keyed by row, one shard at a time."""
        row = 0
        for path, rows in zip(self.records.paths(), self.shard_rows, strict=True):
            yield range(row, row + rows), (lambda path=path, row=row: self._pair_items(path, row))  # type: ignore[misc]
            row += rows

    def _response_items(self, path: Any, first: int, keys: Sequence[int]) -> list[ResponseItem]:
        wanted, slot, items = set(keys), first, []
        table = self.texts(path)
        both = (table[name].to_pylist() for name in ("prompt", "responses"))
        for text, responses, calls in zip(*both, calls_in(table), strict=True):
            prompt = messages_of(text)
            for i, response in enumerate(responses):
                if slot in wanted:
                    other, others = (responses[1 - i], calls[1 - i]) if len(responses) == 2 else (None, "")
                    items.append(ResponseItem(slot, prompt, response, other, calls[i], others))
                slot += 1
        return items

    def _pair_items(self, path: Any, row: int) -> list[PairItem]:
        responses = self.records.table(path, ["responses"])["responses"].to_pylist()
        return [PairItem(row + i, texts[0], texts[1]) for i, texts in enumerate(responses)]

    def _judged_pairs(self, path: Any, row: int) -> list[JudgedPair]:
        table = self.records.table(path, ["prompt", "responses"])
        both = zip(table["prompt"].to_pylist(), table["responses"].to_pylist(), strict=True)
        return [JudgedPair(row + i, messages_of(text), (two[0], two[1])) for i, (text, two) in enumerate(both)]


def messages_of(text: str) -> list[Message]:
    """Parse messages from their canonical spelling."""
    return [
        {"role": role, "content": content, **(more[0] if more else {})} for role, content, *more in json.loads(text)
    ]


def calls_in(records: pa.Table) -> Iterator[Sequence[str]]:
    """For each response of each row the JSON of the tools that it calls; empty for none."""
    if CALLS in records.column_names:
        yield from records[CALLS].to_pylist()
        return
    for count in pa.compute.list_value_length(records["responses"]).to_pylist():
        yield [""] * count


def load(rows: Shards, records: Shards, rejects: Shards) -> Staged:
    """Load the numbers of staged rows into memory."""
    tables = [_numeric(records, path) for path in records.paths()]
    slots = [int(pa.compute.sum(pa.compute.list_value_length(table["high"])).as_py() or 0) for table in tables]

    def every(column: str, missing: Any) -> np.ndarray:
        parts = [
            flat(table[column]) if column in table.column_names else np.full(size, missing)
            for table, size in zip(tables, slots, strict=True)
        ]
        return np.concatenate(parts)

    measured = sorted({name for table in tables for name in table.column_names if name.startswith(MEASURED)})
    hashes = pl.DataFrame({"high": every("high", 0), "low": every("low", 0)})
    prompts = pl.concat([pl.Series("p", table["prompt_hash"].to_pylist(), dtype=pl.Binary) for table in tables])
    positions = [np.stack([_positions(table[side]) for side in ("chosen", "rejected")], axis=1) for table in tables]
    return Staged(
        rows,
        records,
        rejects,
        np.concatenate([pa.compute.list_value_length(table["high"]).to_numpy() for table in tables]).astype(np.int64),
        first_equal(hashes),
        {n.removeprefix(MEASURED): every(n, np.nan) for n in measured if n.removeprefix(MEASURED) not in TEXTS},
        tuple(table.num_rows for table in tables),
        every(MEASURED + FINISH_REASON, None) == "length",
        np.concatenate(positions),
        np.unique(first_equal(prompts.to_frame()), return_inverse=True)[1].astype(np.int64),
    )


def first_equal(frame: pl.DataFrame) -> np.ndarray:
    """The number of the first row equal to each row, int64 [rows]."""
    first = frame.with_row_index("row").select(pl.col("row").first().over(frame.columns))
    return first.to_series().cast(pl.Int64).to_numpy()


def _numeric(records: Shards, path: Any) -> pa.Table:
    texts = {"prompt", "responses", CALLS, "pair_id", "flags", MEASURED + MODEL}
    return records.table(path, [name for name in records.schema(path).names if name not in texts])


def _positions(column: pa.ChunkedArray) -> np.ndarray:
    array: np.ndarray = column.fill_null(-1).to_numpy().astype(np.int64)
    return array


def flat(column: pa.ChunkedArray) -> np.ndarray:
    """The concatenated values of a list column, NaN for null numbers."""
    values = column.combine_chunks().flatten()
    array: np.ndarray = values.to_numpy(zero_copy_only=False)
    return array
