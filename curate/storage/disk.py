"""Write to a temporary file first and rename it, so that a file under its final name is always complete."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import StoreError

COMPRESSION = "zstd"


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table to a temporary file and rename it; it is flushed to disk when this returns.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    aside = path.with_name(path.name + ".aside")
    with disk_errors(path):
        with parquet_writer(aside, table.schema) as writer:
            writer.write_table(table)
        aside.replace(path)


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read one of our Parquet files, or some of its columns, without pyarrow's data sets, which are slow to import."""
    with pq.ParquetFile(path) as file:
        return file.read(columns)


def write_bytes(content: bytes | memoryview, path: Path) -> None:
    """Write bytes to a temporary file and rename it; they are flushed to disk when this returns.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    aside = path.with_name(path.name + ".aside")
    with disk_errors(path):
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema, **options: Any) -> Iterator[pq.ParquetWriter]:
    """A Parquet writer with a checksum per page; the file is flushed to disk when the block ends.

    It opens the file itself: a writer left open by an interruption is closed when it is garbage-collected, and would
    print a traceback if its file were already closed.
    """
    with pq.ParquetWriter(path, schema, compression=COMPRESSION, write_page_checksum=True, **options) as writer:
        yield writer
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn errors of the disk into an error that the user can fix.

    Raises:
        StoreError: no space, no permission, a name that is too long, no such folder, or any other error of the disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                "The disk is full.", str(path.parent), "Free some space, then rerun the same command to resume."
            ) from error
        if error.errno is None:  # raised by a library for another reason than the disk
            raise
        reason = error.strerror or os.strerror(error.errno)
        raise StoreError(
            f"The output cannot be written: {reason}.", str(path), "Choose another place with -o."
        ) from error
