"""Limits on the size of a row and of a table: a small file must not fill the memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, AnyStr, BinaryIO

import pyarrow as pa

from curate.errors import InputError

LINE_BYTES = 64 * 2**20
WHOLE_BYTES, UNFOLDED = 64 * 2**20, 30
"""Limit for a compressed file that is read whole: it may expand to this, or to this multiple of its size if larger."""
COLUMNS = 2000
DEPTH = 32
"""Maximum nesting of lists and mappings. Parquet counts a list twice, and is read up to a depth of 100."""
BLOCK = 2**20
NESTING = (dict, list)
TOO_LONG = f"the line is longer than {LINE_BYTES >> 20} MiB"
TOO_DEEP = f"the row is nested more than {DEPTH} deep"


def lines(stream: Any, end: AnyStr | tuple[AnyStr, ...]) -> Iterator[AnyStr | None]:
    """The lines of a stream of bytes or text; None for a line that is too long, which is not kept.

    Args:
        stream: where to read.
        end: what terminates a line.
    """
    while line := stream.readline(LINE_BYTES + 1):
        if len(line) <= LINE_BYTES:
            yield line
            continue
        while line and not line.endswith(end):
            line = stream.readline(BLOCK)
        yield None


def read_whole(stream: BinaryIO, size: int, compressed: bool) -> bytes:
    """Everything in a stream.

    Args:
        stream: where to read.
        size: size of the file on disk, in bytes.
        compressed: whether the file expands to more than that.

    Raises:
        InputError: it expands to more than the limit.
    """
    if not compressed:
        return stream.read()
    most = max(WHOLE_BYTES, UNFOLDED * size)
    content = stream.read(most + 1)
    if len(content) > most:
        raise InputError(
            f"The file unpacks to more than {most >> 20} MiB, and it would be read into memory at once.",
            f"{size:,} bytes on disk",
            "If that is right, unpack it first, or write one JSON object per line.",
        )
    return content


def is_deep(value: object, most: int = DEPTH) -> bool:
    """Whether lists and mappings are nested deeper than this."""
    level = [value] if isinstance(value, NESTING) else []
    while level and most:
        most -= 1
        children = [one.values() if isinstance(one, dict) else one for one in level]
        level = [child for inner in children for child in inner if isinstance(child, NESTING)]
    return bool(level)


def is_deep_type(kind: pa.DataType, most: int = DEPTH) -> bool:
    """Whether a column's values could be nested deeper than this."""
    if most < 0:
        return True
    return any(is_deep_type(kind.field(i).type, most - 1) for i in range(kind.num_fields))


def check_columns(names: Collection[str]) -> None:
    """Refuse a table with too many columns.

    Raises:
        InputError: there are too many columns.
    """
    if len(names) > COLUMNS:
        some = ", ".join(str(name)[:40] for name in list(names)[-3:])
        raise InputError(
            f"The data has more than {COLUMNS:,} columns.",
            f"{some}, ...",
            "Keep keys that differ from row to row in one column, as JSON text, or drop what is not needed.",
        )
