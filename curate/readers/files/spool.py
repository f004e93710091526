"""Tables laid out in a file without a name: parsed once, then read as often as needed, by columns."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc


class Spool:
    """Tables in the order in which they were added, each with columns of its own.

    The file has no name, so nothing of it stays behind, however the process ends.

    Args:
        folder: where the file is; one that has room for what is added.
    """

    def __init__(self, folder: Path) -> None:
        # closed, and so gone, when this object is
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._ends: list[int] = []
        self.schemas: list[pa.Schema] = []
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        """Write these rows behind the others."""
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(self._file, table.schema, options=options) as writer:
            writer.write_table(table)
        self._file.flush()
        self._ends.append(self._file.tell())
        self.schemas.append(table.schema)
        self.rows += table.num_rows

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Each table with those of these columns that it has, all of them by default."""
        if not self._ends:
            return
        whole = pa.py_buffer(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))
        start = 0
        for schema, end in zip(self.schemas, self._ends, strict=True):
            names = schema.names if columns is None else [name for name in columns if name in schema.names]
            options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in names])
            yield pa.ipc.open_stream(whole.slice(start, end - start), options=options).read_all().select(names)
            start = end
