"""A folder that keeps measured numbers by the content they belong to, for later runs on any data.

Numbers that were measured in the same way lie together in a folder named after that way. Its files are only ever added
or removed as a whole, and each carries its checksum in its name, so that several runs can use the cache at once.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import StoreError
from curate.storage.disk import disk_errors
from curate.storage.sealed import Damaged, Note, Seal, read_document, read_shard, write_document, write_shard

CONTENT = "content"
"""The column of hashes: what was measured, 16 bytes."""
HASHES = pa.binary(16)
MARK, NOTES, FILES = "curate-cache", "notes.json", "shard-*.parquet"


@dataclass(frozen=True)
class Held:
    """A file of the cache."""

    path: Path
    size: int
    used: float


class NumberCache:
    """The cache in a folder, which is made if it does not exist.

    Raises:
        StoreError: the folder contains something else, or cannot be written.
    """

    def __init__(self, folder: Path, note: Note = lambda _: None) -> None:
        self.folder, self._note = folder, note
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / MARK).exists():
                if any(folder.iterdir()):
                    raise StoreError("The folder is not a cache of curate.", str(folder), "Name a new folder.")
                (folder / MARK).touch()

    def part(self, *facts: Any) -> Part:
        """The numbers that were measured in the way that these facts describe."""
        seal = Seal.of(*facts)
        return Part(self.folder / seal.key[:16].hex(), seal, self._note)

    def files(self) -> list[Held]:
        """Every file with numbers, the one that was used longest ago first."""
        found = []
        for path in self.folder.glob(f"*/{FILES}"):
            try:
                stat = path.stat()
            except FileNotFoundError:  # another run trimmed it
                continue
            found.append(Held(path, stat.st_size, stat.st_mtime))
        return sorted(found, key=lambda one: (one.used, one.path))

    def trim(self, most: int) -> int:
        """Remove what was used longest ago until no more than so many bytes are left; returns the bytes removed."""
        files, removed = self.files(), 0
        size = sum(one.size for one in files)
        with disk_errors(self.folder):
            for one in files:
                if size - removed <= most:
                    break
                one.path.unlink(missing_ok=True)
                removed += one.size
        return removed

    def clear(self) -> None:
        """Remove all numbers."""
        with disk_errors(self.folder):
            for path in self.folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)


class Part:
    """The numbers that were measured in one way."""

    def __init__(self, folder: Path, seal: Seal, note: Note) -> None:
        self._folder, self._seal, self._note = folder, seal, note

    def find(self, wanted: pl.Series) -> Iterator[pa.Table]:
        """What is known of these contents: tables with their hashes and numbers; each content at most once."""
        left = wanted.unique()
        for path in sorted(self._folder.glob(FILES)):
            if left.is_empty():
                return
            held = self._read(path)
            if held is None:
                continue
            known = pl.from_arrow(held)
            assert isinstance(known, pl.DataFrame)
            known = known.filter(pl.col(CONTENT).is_in(left.implode())).unique(CONTENT, maintain_order=True)
            if known.height:
                os.utime(path)
                left = left.filter(~left.is_in(known[CONTENT].implode()))
                yield known.to_arrow().cast(held.schema)

    def _read(self, path: Path) -> pa.Table | None:
        try:
            with pq.ParquetFile(pa.BufferReader(read_shard(path, self._seal))) as file:
                return file.read()
        except Damaged:
            if path.exists():
                self._note(f"cache: {path.name} failed its checksum and is removed; its numbers are measured again.")
                path.unlink(missing_ok=True)
            return None

    def add(self, numbers: pa.Table, notes: list[str]) -> None:
        """Keep numbers with the hashes of their contents, and the notes on how the model ran.

        Raises:
            StoreError: the disk is full, or the folder cannot be written.
        """
        with disk_errors(self._folder):
            self._folder.mkdir(exist_ok=True)
        if numbers.num_rows:
            write_shard(numbers, self._folder, secrets.randbelow(10**8), self._seal)
        if self.notes() != notes:
            write_document(notes, self._folder / NOTES, self._seal)

    def notes(self) -> list[str] | None:
        """The notes on how the model ran; None if there are none."""
        try:
            found: list[str] = read_document(self._folder / NOTES, self._seal)
        except Damaged:
            return None
        return found
