"""A first look at data: its files, its first rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curate.errors import InputError
from curate.readers.contract import Row, Source
from curate.readers.files.paths import find_files
from curate.readers.files.source import SAMPLE_ROWS, JoinedSource


def input_paths(data: Sequence[str]) -> list[Path]:
    """The files that the data names; empty for a hub data set.

    Raises:
        InputError: a path or glob that matches nothing.
    """
    return [path for name in data if not name.startswith("hf://") for path in find_files(name)]


def source_notes(source: Source) -> tuple[str, ...]:
    """What the user should know of how a source's rows are read."""
    return source.notes if isinstance(source, JoinedSource) else ()


def first_rows(source: Source) -> list[Row]:
    """The first few hundred rows that could be parsed.

    Raises:
        InputError: there are none.
    """
    if isinstance(source, JoinedSource) and source.head:
        return list(source.head)
    rows: list[Row] = []
    for chunk in source.chunks(SAMPLE_ROWS):
        rows += chunk.rows
        if len(rows) >= SAMPLE_ROWS:
            break
    if not rows:
        raise InputError("The data has no readable row.", source.name, "Is this the right file?")
    return rows
