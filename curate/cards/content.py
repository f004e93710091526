"""What a card shows of the rows: the numbers of its plots, and the first rows with their texts."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import InputError, RowError
from curate.metrics.registry import all_metrics, as_numbers
from curate.readers import detect
from curate.readers.parts.scores import number
from curate.schema import POLICY_LOGPS, REWARD, TOKENS, Record

MARGIN = "reward_margin"
FIRST_ROWS = 1000
"""Rows among which the pairs shown are chosen."""
MOST_VALUES = 1_000_000
"""Rows whose numbers a plot shows; of more, every k-th is taken."""
CHOSEN, REJECTED = TOKENS.chosen, TOKENS.rejected
OF_CANDIDATES = (REWARD.candidates, POLICY_LOGPS.candidates, "sample_logps", TOKENS.candidates)


@dataclass(frozen=True)
class Content:
    """What is shown of some rows.

    Attributes:
        by: the column that best says what the rows are worth: what they were selected by, or else their margin.
        numbers: values by column, NaN where missing: float64 [values].
        first: the first readable rows, each with its numbers by column.
        every: the plots show the numbers of every so-many-th row.
    """

    by: str | None = None
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)
    first: Sequence[tuple[Record, Mapping[str, Any]]] = ()
    every: int = 1


def best_column(names: Sequence[str], selected_by: str | None) -> str | None:
    """The column that best says what the rows are worth."""
    metrics = [MARGIN, *all_metrics(), *OF_CANDIDATES[:3]]
    return next((one for one in (selected_by, *metrics) if one in names), None)


def content_of(files: Sequence[Path], schema: pa.Schema, selected_by: str | None) -> Content:
    """What to show of a table that was just written.

    Args:
        files: the table's Parquet files.
        schema: their columns.
        selected_by: the metric that its rows were selected by, if any.
    """
    shown = [name for name in schema.names if _holds_numbers(schema.field(name).type)]
    by = best_column(shown, selected_by)
    wanted = [name for name in (by, CHOSEN, REJECTED, TOKENS.candidates) if name is not None and name in shown]
    rows = sum(pq.read_metadata(path).num_rows for path in files)
    every = -(-rows // MOST_VALUES) or 1
    return Content(by, _numbers(files, wanted, every), _first_rows(files[0]), every)


def _holds_numbers(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else kind
    return bool(pa.types.is_floating(inner) or pa.types.is_integer(inner))


def _numbers(files: Sequence[Path], names: Sequence[str], every: int) -> dict[str, np.ndarray]:
    found: dict[str, list[np.ndarray]] = {name: [] for name in dict.fromkeys(names)}
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=list(found)) if found else ():
                for name, pieces in found.items():
                    column = pl.Series(batch.column(name)).gather_every(every)
                    flat = column.explode() if column.dtype == pl.List else column
                    pieces.append(as_numbers(flat).fill_null(float("nan")).to_numpy())
    return {name: np.concatenate(pieces) if pieces else np.zeros(0) for name, pieces in found.items()}


def _first_rows(path: Path) -> list[tuple[Record, Mapping[str, Any]]]:
    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(batch_size=FIRST_ROWS), None)
    rows = batch.to_pylist() if batch is not None else []
    found: list[tuple[Record, Mapping[str, Any]]] = []
    with suppress(InputError):  # a table of numbers alone has no texts to show
        layout = detect(rows, "pairs", "keep", tools=True)
        for row in rows:
            with suppress(RowError):
                found.append((layout.parse(row), row))
    return found


class Gathering:
    """What to show of rows that are written one by one in another form.

    Args:
        selected_by: the metric that the rows were selected by, if any.
    """

    def __init__(self, selected_by: str | None) -> None:
        self._names = tuple(dict.fromkeys(one for one in (selected_by, MARGIN, CHOSEN, REJECTED) if one))
        self._selected_by = selected_by
        self._values: dict[str, array[float]] = {name: array("d") for name in self._names}
        self._first: list[tuple[Record, Mapping[str, Any]]] = []

    def add(self, record: Record, row: Mapping[str, Any]) -> None:
        """Take note of one row that was written."""
        values = {name: number(row.get(name)) for name in self._names}
        values |= {name: value for name, value in _measured(record).items() if values.get(name) is None}
        for name in self._names:
            value = values[name]
            self._values[name].append(float("nan") if value is None else value)
        if len(self._first) < FIRST_ROWS:
            self._first.append((record, values))

    def content(self) -> Content:
        """What was gathered."""
        numbers = {name: np.frombuffer(values) for name, values in self._values.items() if values}
        known = {name: values for name, values in numbers.items() if not np.isnan(values).all()}
        return Content(best_column([one for one in self._names if one in known], self._selected_by), known, self._first)


def _measured(record: Record) -> dict[str, float | None]:
    """The margin and the lengths of a pair, from what its layout found in the row."""
    if record.pair is None:
        return {}
    found: dict[str, float | None] = {}
    chosen, rejected = (_side(record, REWARD.name, place) for place in record.pair)
    if chosen is not None and rejected is not None:
        found[MARGIN] = number(chosen - rejected)
    for name, place in zip((CHOSEN, REJECTED), record.pair, strict=True):
        found[name] = _side(record, TOKENS.name, place)
    return found


def _side(record: Record, name: str, place: int) -> float | None:
    values = record.measured.get(name)
    return None if values is None else number(values[place])
