"""A table of any origin, read by columns: for commands that need numbers of all rows, and texts of few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

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
        return sum(table.num_rows for table in self._read(None))

    def numbers(self, columns: Sequence[str]) -> pl.DataFrame:
        """These columns of every row."""
        wanted = pa.schema([self.schema.field(name) for name in columns])
        pieces = [
            conform(table.select([n for n in columns if n in table.column_names]), wanted)
            for table in self._read(columns)
        ]
        frame = pl.from_arrow(pa.concat_tables(pieces) if pieces else wanted.empty_table())
        assert isinstance(frame, pl.DataFrame)
        return frame

    def batches(self) -> Iterator[pa.Table]:
        """All columns, some thousand rows at a time."""
        for table in self._read(None):
            yield conform(table, self.schema)

    def _read(self, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        if not self.parquet:
            yield from (chunk.table for chunk in self.source.chunks(BATCH_ROWS) if chunk.table.num_rows)
            return
        for path in self.parquet:
            with pq.ParquetFile(path) as file:
                present = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
                if columns is not None:
                    yield file.read(columns=present)
                else:
                    yield from (pa.Table.from_batches([batch]) for batch in file.iter_batches(BATCH_ROWS))

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
