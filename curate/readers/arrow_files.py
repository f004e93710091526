"""Parquet and Arrow files, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from curate.readers.columns import decode
from curate.readers.contract import Chunk

FILE_MAGIC = b"ARROW1"


def parquet_file(path: Path, rows: int) -> Iterator[Chunk]:
    """The rows of a Parquet file; origins count them from 0."""
    with pa.parquet.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
        yield from chunks_of(file.iter_batches(batch_size=rows), rows, path.name)


def arrow_file(path: Path, rows: int) -> Iterator[Chunk]:
    """The rows of an Arrow file, in the file or the stream format; origins count them from 0."""
    with pa.memory_map(str(path)) as memory:
        is_file = memory.read(len(FILE_MAGIC)) == FILE_MAGIC
        memory.seek(0)
        yield from chunks_of(_file_batches(memory) if is_file else pa.ipc.open_stream(memory), rows, path.name)


def _file_batches(memory: pa.NativeFile) -> Iterator[pa.RecordBatch]:
    file = pa.ipc.open_file(memory)
    for number in range(file.num_record_batches):
        yield file.get_batch(number)


def chunks_of(batches: Iterable[pa.RecordBatch], rows: int, name: str) -> Iterator[Chunk]:
    """Batches of any size as chunks of exactly `rows` rows, the last one shorter."""
    first = 0
    for table in regroup(batches, rows):
        table = decode(table)
        origins = [f"{name}:{number}" for number in range(first, first + table.num_rows)]
        first += table.num_rows
        yield Chunk(table, table.to_pylist(), origins)


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
