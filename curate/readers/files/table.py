"""A table from any source, read by columns: for commands that need numbers of all rows, and texts of a few."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.readers.contract import Source
from curate.readers.files.arrow import open_parquet, parquet_batches, parquet_table, row_group
from curate.readers.files.columns import conform, merge_schemas
from curate.readers.files.hub import HUB
from curate.readers.files.paths import find_files, suffix_of
from curate.readers.files.spool import Spool
from curate.readers.opening import open_source
from curate.readers.unusable import reject_table
from curate.storage.disk import disk_errors

BATCH_ROWS = 65_536
PARQUET = ".parquet"


@dataclass(frozen=True)
class _Laid:
    """Files of other formats, parsed once and stored for reading by columns."""

    rows: Spool
    rejects: Spool
    rejected: Counter[str]


@dataclass(frozen=True)
class Table:
    """Rows and columns of some files, in file order.

    Unless all files are Parquet, they are parsed once, at first use, and stored in an unnamed temporary file.

    Attributes:
        source: the same data as rows.
        parquet: its files if all of them are Parquet, else empty.
        manifested: its Parquet files, even if there are others.
        folder: where to put the unnamed file.
    """

    source: Source
    parquet: tuple[Path, ...]
    manifested: tuple[Path, ...]
    folder: Path

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of all files together."""
        if not self.parquet:
            return merge_schemas(self._laid.rows.schemas)
        schemas = []
        for path in self.parquet:
            with open_parquet(path) as file:
                schemas.append(file.schema_arrow)
        return merge_schemas(schemas)

    @cached_property
    def rows(self) -> int:
        """The number of rows, without those that could not be parsed."""
        if not self.parquet:
            return self._laid.rows.rows
        found = 0
        for path in self.parquet:
            with open_parquet(path) as file:
                found += int(file.metadata.num_rows)
        return found

    @property
    def rejected(self) -> dict[str, int]:
        """The number of rows that could not be parsed, by reason, most frequent first."""
        return {} if self.parquet else dict(self._laid.rejected.most_common())

    def rejects(self) -> Iterator[pa.Table]:
        """The rows that could not be parsed, with the reasons."""
        if not self.parquet:
            yield from self._laid.rejects.tables()

    @cached_property
    def _laid(self) -> _Laid:
        with disk_errors(self.folder / "unnamed"):
            laid = _Laid(Spool(self.folder), Spool(self.folder), Counter())
            for chunk in self.source.chunks(BATCH_ROWS):
                if chunk.table.num_rows:
                    laid.rows.add(chunk.table)
                if chunk.rejects:
                    laid.rejects.add(reject_table(chunk.rejects))
                    laid.rejected.update(one.reason for one in chunk.rejects)
        return laid

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
        """These columns (by default all) in the given order, a few thousand rows at a time."""
        wanted = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        for table in self._read(columns, whole=False):
            yield conform(table.select([name for name in wanted.names if name in table.column_names]), wanted)

    def taken(self, column: str, rows: np.ndarray) -> pl.Series:
        """One column's values in these rows (ascending row numbers); other values are not kept in memory."""
        pieces, first = [], 0
        for table in self.batches([column]):
            start, end = np.searchsorted(rows, [first, first + table.num_rows])
            if end > start:
                pieces.append(table[column].take(pa.array(rows[start:end] - first)))
            first += table.num_rows
        chunks = [chunk for piece in pieces for chunk in piece.chunks]
        return pl.Series(column, pa.chunked_array(chunks, type=self.schema.field(column).type))

    def at(self, rows: np.ndarray) -> pa.Table:
        """Whole rows (ascending row numbers); only those parts of Parquet files that hold one of them are read."""
        pieces, first = [], 0
        for tables, count in self._parts():
            if np.searchsorted(rows, first) < np.searchsorted(rows, first + count):
                start = first
                for table in tables():
                    low, high = np.searchsorted(rows, [start, start + table.num_rows])
                    if high > low:
                        pieces.append(conform(table.take(pa.array(rows[low:high] - start)), self.schema))
                    start += table.num_rows
            first += count
        return pa.concat_tables(pieces) if pieces else self.schema.empty_table()

    def _parts(self) -> Iterator[tuple[Callable[[], Iterator[pa.Table]], int]]:
        """Parts of the data that can be read alone, with the number of their rows."""
        if not self.parquet:
            yield self._laid.rows.tables, self.rows
        for path in self.parquet:
            with open_parquet(path) as file:
                sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
            for number, size in enumerate(sizes):
                yield partial(row_group, path, number, BATCH_ROWS), size

    def _read(self, columns: Sequence[str] | None, whole: bool) -> Iterator[pa.Table]:
        """The rows of the files: Parquet one file at a time if `whole`; otherwise a few thousand rows at a time."""
        if not self.parquet:
            yield from self._laid.rows.tables(columns)
            return
        for path in self.parquet:
            if whole:
                yield parquet_table(path, columns)
            else:
                yield from (pa.Table.from_batches([one]) for one in parquet_batches(path, BATCH_ROWS, columns))

    def manifests(self, key: str) -> list[Any]:
        """What each Parquet file's metadata holds under this key, as JSON.

        Raises:
            InputError: it is not JSON, so the file is damaged.
        """
        found = []
        for path in self.manifested:
            with open_parquet(path) as file:
                text = (file.schema_arrow.metadata or {}).get(key.encode())
                found += [json.loads(text)] if text else []
        return found


def open_table(data: Sequence[str], out: Path, columns: Mapping[str, str] | None = None) -> Table:
    """Open data for reading by columns.

    Args:
        data: paths, globs, folders, hub data sets.
        out: the output; data that must be stored for reading goes to an unnamed file on the same disk.
        columns: maps names that layouts read to the data's own.

    Raises:
        InputError: it cannot be read, or has no rows.
    """
    source = open_source(data, columns)
    local = [name for name in data if not name.startswith(HUB)]
    paths = list(dict.fromkeys(path for name in local for path in find_files(name)))
    parquet = tuple(path for path in paths if suffix_of(path) == PARQUET)
    as_stored = len(local) == len(data) and len(parquet) == len(paths) and source.as_stored
    whole = parquet if as_stored else ()
    return Table(source, whole, parquet, next(parent for parent in out.absolute().parents if parent.is_dir()))


def column_names(data: Sequence[str], columns: Mapping[str, str] | None = None) -> frozenset[str]:
    """The columns of all of the data, as `open_table` names them, without storing any of it.

    Raises:
        InputError: it cannot be read, or has no rows.
    """
    table = open_table(data, Path("unused"), columns)
    if table.parquet:
        return frozenset(table.schema.names)
    return frozenset(name for chunk in table.source.chunks(BATCH_ROWS) for name in chunk.table.column_names)
