"""Data sources: files of every readable format and hub data sets, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.errors import InputError
from curate.readers.contract import Chunk, Row, Source
from curate.readers.files.arrow import arrow_file, parquet_file
from curate.readers.files.csv_text import csv_file
from curate.readers.files.damage import readable
from curate.readers.files.hub import HUB, open_hub
from curate.readers.files.json_text import json_file, json_lines_or_array
from curate.readers.files.paths import READABLE, find_files, suffix_of
from curate.readers.files.streams import fingerprint

READERS: dict[str, Callable[[Path, int], Iterator[Chunk]]] = {
    ".parquet": parquet_file,
    ".arrow": arrow_file,
    ".json": json_file,
    ".jsonl": json_lines_or_array,
    ".csv": csv_file,
    ".tsv": csv_file,
}
SAMPLE_ROWS, PROBE_ROWS = 256, 16


@dataclass(frozen=True)
class FileSource:
    """A source that reads one file."""

    path: Path

    @property
    def name(self) -> str:
        """The path as found."""
        return str(self.path)

    def fingerprints(self) -> list[dict[str, Any]]:
        """The file's base name, size and hash.

        Raises:
            InputError: the file cannot be read.
        """
        with readable(self.path):
            return [fingerprint(self.path)]

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """The file's rows, `rows` at a time.

        Raises:
            InputError: the file is not of the format its name says, or cannot be read.
        """
        with readable(self.path):
            yield from READERS[suffix_of(self.path) or ""](self.path, rows)


@dataclass(frozen=True)
class JoinedSource:
    """Several sources read one after another.

    Attributes:
        name: what the user called them.
        parts: the sources.
        head: the first rows that could be parsed, some hundreds, as they were read when the source was opened.
        notes: what the user should know of how its rows are read.
        as_stored: whether its rows and columns are those of the files.
    """

    name: str
    parts: tuple[Source, ...]
    head: list[Row] = field(default_factory=list, compare=False)
    notes: tuple[str, ...] = ()
    as_stored: bool = True

    def fingerprints(self) -> list[dict[str, Any]]:
        """Those of all parts, in reading order."""
        return [entry for part in self.parts for entry in part.fingerprints()]

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """The rows of all parts; a chunk never reaches over the end of a file.

        Raises:
            InputError: a part cannot be read.
        """
        if rows < 1:
            raise ValueError(f"a chunk needs at least one row, not {rows}")
        for part in self.parts:
            yield from part.chunks(rows)


def open_files(data: Sequence[str]) -> JoinedSource:
    """Open files, globs, folders and `hf://` data sets as one source.

    Every file is opened and looked into, so that what cannot be read is known before any work starts.

    Args:
        data: what the user named; read in this order, a file named twice only once.

    Raises:
        InputError: something named is missing, unreadable, of an unknown kind, or there is not one row in all of it.
    """
    if not data:
        raise InputError("No data is named.", hint=READABLE)
    parts: list[Source] = []
    seen: set[Path] = set()
    for name in data:
        if name.startswith(HUB):
            parts.append(open_hub(name))
            continue
        for path in find_files(name):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                parts.append(FileSource(path))
    source = JoinedSource(", ".join(data), tuple(parts))
    _probe(source)
    return source


def _probe(source: JoinedSource) -> None:
    """Read the head of every part, and on until there are some hundred rows of all.

    Raises:
        InputError: a part cannot be read, or there is no row.
    """
    reject = None
    for part in source.parts:
        wanted = SAMPLE_ROWS if len(source.head) < SAMPLE_ROWS else PROBE_ROWS
        for chunk in part.chunks(wanted):
            reject = reject or next(iter(chunk.rejects), None)
            if wanted == SAMPLE_ROWS:
                source.head.extend(chunk.rows)
            if len(source.head) >= SAMPLE_ROWS:
                break
    if source.head:
        return
    if reject is None:
        raise InputError("The data has no rows.", source.name, "Name a file that has rows.")
    raise InputError(
        "No row of the data can be read.",
        source.name,
        f"The first failure, at {reject.origin}: {reject.reason}.",
    )
