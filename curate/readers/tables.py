"""A table of any origin, read by columns: for commands that need numbers of all rows, and texts of few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curate.readers.columns import conform, merge_schemas
from curate.readers.contract import Source
from curate.readers.files import open_source
from curate.readers.paths import find_files

BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Table:
    """Rows and columns of some files, in the files' order.

    Attributes:
        source: the same data as rows.
        parquet: its files where all of them are Parquet; these are read by columns, anything else as a whole.
    """

    source: Source
    parquet: tuple[Path, ...]

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of all files together."""
        if self.parquet:
            return merge_schemas([pq.read_schema(path) for path in self.parquet])
        return merge_schemas([chunk.table.schema for chunk in self.source.chunks(BATCH_ROWS)])

    @cached_property
    def rows(self) -> int:
        """How many rows there are."""
        if self.parquet:
            return sum(int(pq.read_metadata(path).num_rows) for path in self.parquet)
        return sum(table.num_rows for table in self._read(None, whole=False))

    def numbers(self, columns: Sequence[str]) -> pl.DataFrame:
        """These columns of every row."""
        wanted = pa.schema([self.schema.field(name) for name in columns])
        pieces = [
            conform(table.select([n for n in columns if n in table.column_names]), wanted)
            for table in self._read(columns, whole=True)
        ]
        frame = pl.from_arrow(pa.concat_tables(pieces) if pieces else wanted.empty_table())
        assert isinstance(frame, pl.DataFrame)
        return frame

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """These columns (all without a choice) in the order given, some thousand rows at a time."""
        wanted = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        for table in self._read(columns, whole=False):
            yield conform(table.select([name for name in wanted.names if name in table.column_names]), wanted)

    def taken(self, column: str, rows: np.ndarray) -> pl.Series:
        """The values of one column in these rows, ascending row numbers; the others are not kept in memory."""
        pieces, first = [], 0
        for table in self.batches([column]):
            start, end = np.searchsorted(rows, [first, first + table.num_rows])
            if end > start:
                pieces.append(table[column].take(pa.array(rows[start:end] - first)))
            first += table.num_rows
        chunks = [chunk for piece in pieces for chunk in piece.chunks]
        return pl.Series(column, pa.chunked_array(chunks, type=self.schema.field(column).type))

    def _read(self, columns: Sequence[str] | None, whole: bool) -> Iterator[pa.Table]:
        """The files' rows: of Parquet only these columns, a file at a time when `whole`; else some thousand rows."""
        if not self.parquet:
            yield from (chunk.table for chunk in self.source.chunks(BATCH_ROWS) if chunk.table.num_rows)
            return
        for path in self.parquet:
            # Buffering ahead would keep every row group until the file is closed.
            with pq.ParquetFile(path, pre_buffer=False) as file:
                present = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
                if whole:
                    yield file.read(columns=present)
                else:
                    batches = file.iter_batches(BATCH_ROWS, columns=present)
                    yield from (pa.Table.from_batches([batch]) for batch in batches)

    def manifests(self, key: str) -> list[Any]:
        """What each Parquet file's metadata holds under this key."""
        found = [(pq.read_schema(path).metadata or {}).get(key.encode()) for path in self.parquet]
        return [text for text in found if text]


def open_table(data: Sequence[str]) -> Table:
    """Open data for reading by columns.

    Raises:
        InputError: it cannot be read, or holds no row.
    """
    source = open_source(data)
    local = [name for name in data if not name.startswith("hf://")]
    paths = [path for name in local for path in find_files(name)] if len(local) == len(data) else []
    all_parquet = bool(paths) and all(path.suffix == ".parquet" for path in paths)
    return Table(source, tuple(dict.fromkeys(paths)) if all_parquet else ())
