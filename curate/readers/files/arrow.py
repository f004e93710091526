"""Parquet and Arrow files, read one chunk at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from curate.readers.contract import Chunk
from curate.readers.files.columns import decode
from curate.readers.files.damage import readable, sound

FILE_MAGIC = b"ARROW1"


@contextmanager
def open_parquet(path: Path, *, mapped: bool = False) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; pages are verified against their checksums if there are any.

    Args:
        path: the file.
        mapped: leave its bytes in the system's page cache instead of copying them into this process.

    Raises:
        InputError: the file cannot be read, on opening or later.
    """
    # Read-ahead buffering would keep every row group until the file is closed.
    options = {"memory_map": mapped, "pre_buffer": False, "page_checksum_verification": True}
    with readable(path), pq.ParquetFile(path, **options) as file:
        yield file


def parquet_batches(
    path: Path, rows: int, columns: Sequence[str] | None = None, *, mapped: bool = False
) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file, at most `rows` at a time; only those of these columns that it has, by default all.

    Raises:
        InputError: the file cannot be read, or has another number of rows than it states.
    """
    with open_parquet(path, mapped=mapped) as file:
        found = 0
        for batch in sound(file.iter_batches(rows, columns=_present(file, columns))):
            found += batch.num_rows
            yield batch
        _check_rows(file, found)


def parquet_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The same rows at once.

    Raises:
        InputError: as `parquet_batches`.
    """
    with open_parquet(path) as file:
        (table,) = sound([file.read(_present(file, columns))])
        _check_rows(file, table.num_rows)
    return table


def row_group(path: Path, number: int, rows: int) -> Iterator[pa.Table]:
    """One row group of a Parquet file, at most `rows` rows at a time.

    Raises:
        InputError: the file cannot be read.
    """
    with open_parquet(path) as file:
        for batch in sound(file.iter_batches(rows, row_groups=[number])):
            yield pa.Table.from_batches([batch])


def _present(file: pq.ParquetFile, columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else [name for name in columns if name in file.schema_arrow.names]


def _check_rows(file: pq.ParquetFile, found: int) -> None:
    if found != file.metadata.num_rows:
        raise ValueError(f"it says that it has {file.metadata.num_rows:,} rows, and has {found:,}")


def parquet_file(path: Path, rows: int) -> Iterator[Chunk]:
    """The rows of a Parquet file; origins count them from 1."""
    yield from chunks_of(parquet_batches(path, rows, mapped=True), rows, path.name)


def arrow_file(path: Path, rows: int) -> Iterator[Chunk]:
    """The rows of an Arrow file, in file or stream format; origins count them from 1."""
    with pa.memory_map(str(path)) as memory:
        is_file = memory.read(len(FILE_MAGIC)) == FILE_MAGIC
        memory.seek(0)
        batches = _file_batches(memory) if is_file else pa.ipc.open_stream(memory)
        yield from chunks_of(sound(batches), rows, path.name)


def _file_batches(memory: pa.NativeFile) -> Iterator[pa.RecordBatch]:
    file = pa.ipc.open_file(memory)
    for number in range(file.num_record_batches):
        yield file.get_batch(number)


def chunks_of(batches: Iterable[pa.RecordBatch], rows: int, name: str) -> Iterator[Chunk]:
    """Batches of any size as chunks of exactly `rows` rows, the last one shorter."""
    first = 1
    for table in regroup(batches, rows):
        table = decode(table)
        origins = [f"{name}:{number}" for number in range(first, first + table.num_rows)]
        first += table.num_rows
        yield Chunk(table, _rows_of(table), origins)


def _rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """The table's rows, maps as mappings; bytes that are text as text, as Hive writes them."""
    rows: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="lossy")
    for field in table.schema:
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            for row in rows:
                with contextlib.suppress(UnicodeDecodeError, AttributeError):
                    row[field.name] = row[field.name].decode("utf-8")
    return rows


def regroup(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of exactly `rows` rows, the last one shorter."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, rows - count)
            held.append(part)
            start += part.num_rows
            count += part.num_rows
            if count == rows:
                yield pa.Table.from_batches(held)
                held, count = [], 0
    if held:
        yield pa.Table.from_batches(held)
