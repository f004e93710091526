"""Tables stored in an unnamed temporary file: parsed once, then read by columns as often as needed."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc


class Spool:
    """Tables in the order they were added, each with its own columns.

    The file has no name, so nothing is left behind, however the process ends.

    Args:
        folder: where to put the file; must have room for what is added.
    """

    def __init__(self, folder: Path) -> None:
        # closed, and so deleted, with this object
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._ends: list[int] = []
        self.schemas: list[pa.Schema] = []
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        """Append these rows."""
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(self._file, table.schema, options=options) as writer:
            writer.write_table(table)
        self._file.flush()
        self._ends.append(self._file.tell())
        self.schemas.append(table.schema)
        self.rows += table.num_rows

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Each table with those of these columns that it has; all columns by default."""
        if not self._ends:
            return
        whole = pa.py_buffer(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))
        start = 0
        for schema, end in zip(self.schemas, self._ends, strict=True):
            names = schema.names if columns is None else [name for name in columns if name in schema.names]
            options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in names])
            yield pa.ipc.open_stream(whole.slice(start, end - start), options=options).read_all().select(names)
            start = end
