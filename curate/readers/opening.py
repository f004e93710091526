"""Opens data as its layouts read it: with the columns that the user named, and one pair in every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from curate.readers.files.source import JoinedSource, open_files
from curate.readers.limited import limited
from curate.readers.renamed import renamed
from curate.readers.several import spread


def open_source(
    data: Sequence[str], columns: Mapping[str, str] | None = None, limit: int | None = None
) -> JoinedSource:
    """Open files, globs, folders and `hf://` data sets as one source.

    Args:
        data: what the user named; read in this order, a file named twice only once.
        columns: maps names that layouts read to the data's own.
        limit: read only so many rows, the first ones.

    Raises:
        InputError: something named cannot be read, or there is not one row in all of it.
        SettingsError: the columns do not exist, or contradict the data.
    """
    return spread(renamed(limited(open_files(data), limit), columns or {}))
