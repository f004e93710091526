"""Tables of unfinished work, written one after another and found by the next run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import StoreError
from curate.storage.disk import disk_errors
from curate.storage.sealed import (
    SHARD,
    UNSEALED,
    Damaged,
    Note,
    Seal,
    kept_document,
    read_shard,
    write_document,
    write_shard,
)

HELD_BYTES = 64 * 2**20
NOTES = "notes.json"


class Shards:
    """Tables of one kind in order of arrival; each contains a whole number of batches.

    Args:
        folder: where they are.
        seal: what decides their contents.
        note: called with a message about damaged shards.
    """

    def __init__(self, folder: Path, seal: Seal = UNSEALED, note: Note = lambda _: None) -> None:
        self.folder = folder
        self._seal, self._note = seal, note
        self._held: tuple[Path, pa.Table] | None = None
        self._schemas: dict[Path, pa.Schema] = {}
        with disk_errors(folder):
            folder.mkdir(exist_ok=True)
            for leftover in folder.glob("*.aside"):
                leftover.unlink()
        self._next = max(self.numbers(), default=-1) + 1

    def paths(self) -> list[Path]:
        """The finished shards, in order.

        Raises:
            StoreError: their folder was removed meanwhile.
        """
        if not self.folder.is_dir():
            raise StoreError(
                "The folder of unfinished work is gone.", str(self.folder), "Rerun the same command to start over."
            )
        return sorted(path for path in self.folder.glob("shard-*.parquet") if SHARD.fullmatch(path.name))

    def numbers(self) -> list[int]:
        """The shards' positions in the order, ascending; lost ones are missing."""
        return [int(path.name.split("-")[1]) for path in self.paths()]

    def sift(self) -> None:
        """Remove shards that are damaged or were made for something else; what they held counts as not done."""
        found = list(self.folder.glob("shard-*"))
        damaged = [path for path in found if not self._is_whole(path)]
        with disk_errors(self.folder):
            for path in damaged:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if damaged:
            count = f"{len(damaged)} of {len(found)} files" if len(found) > 1 else "the only file"
            self._note(f"unfinished work: {count} of {self.folder.name} failed the checksum; making them again.")
        self._next = max(self.numbers(), default=-1) + 1

    def _is_whole(self, path: Path) -> bool:
        try:
            read_shard(path, self._seal)
        except Damaged:
            return False
        return True

    def append(self, table: pa.Table, *, hold: bool = False) -> None:
        """Add a shard after all others.

        Args:
            table: its rows.
            hold: keep it in memory until the next one comes, if it is small, so that a lone shard is not read again.
                Only for types that Parquet returns unchanged.
        """
        path = self.put(self._next, table)
        self._held = (path, table) if hold and table.nbytes <= HELD_BYTES else None

    def put(self, number: int, table: pa.Table) -> Path:
        """Add a shard at this position, which must be free; returns its path."""
        path, schema = write_shard(table, self.folder, number, self._seal)
        self._schemas[path] = schema
        self._next = max(self._next, number + 1)
        return path

    def table(self, path: Path, columns: list[str] | None = None) -> pa.Table:
        """The shard at this path, or some of its columns.

        Raises:
            Damaged: it differs from what was written.
        """
        if self._held is not None and self._held[0] == path:
            held = self._held[1]
            return held if columns is None else held.select(columns)
        with pq.ParquetFile(pa.BufferReader(read_shard(path, self._seal))) as file:
            return file.read(columns)

    def schema(self, path: Path) -> pa.Schema:
        """The columns of the shard at this path.

        Raises:
            Damaged: it differs from what was written.
        """
        if path not in self._schemas:
            self._schemas[path] = pq.read_schema(pa.BufferReader(read_shard(path, self._seal)))
        return self._schemas[path]

    def tables(self, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """The shards one after another.

        Raises:
            Damaged: one differs from what was written.
        """
        for path in self.paths():
            yield self.table(path, columns)

    def read(self, schema: pa.Schema, columns: list[str] | None = None) -> pa.Table:
        """All shards as one table; an empty one of this schema if there are none."""
        tables = list(self.tables(columns))
        return pa.concat_tables(tables) if tables else schema.empty_table()

    def put_notes(self, notes: list[str]) -> None:
        """Store notes on how these shards were made."""
        write_document(notes, self.folder / NOTES, self._seal)

    def notes(self) -> list[str] | None:
        """The notes stored by `put_notes`; None if there are none, or they are damaged."""
        found: list[str] | None = kept_document(self.folder / NOTES, self._seal, self._note)
        return found

    def clear(self) -> None:
        """Discard all shards."""
        with disk_errors(self.folder):
            for path in self.paths():
                path.unlink()
        self._next, self._held = 0, None
