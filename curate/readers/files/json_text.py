"""JSON lines and JSON arrays. A broken line costs only that line, never the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from curate.readers.contract import Chunk, Reject
from curate.readers.files.columns import table_of
from curate.readers.files.json_shapes import rows_within
from curate.readers.files.limits import TOO_DEEP, TOO_LONG, check_columns, is_deep, lines
from curate.readers.files.streams import open_bytes, whole_file

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
END = object()
HALF_PAIR = "the text holds half a surrogate pair"


class ChunkMaker:
    """Collects the rows and rejects of one file into chunks.

    Args:
        name: the file's base name, for the origins.
        rows: maximum rows and rejects per chunk, so that a file full of broken lines is bounded too.
    """

    def __init__(self, name: str, rows: int) -> None:
        self._name, self._limit = name, rows
        self._columns: dict[str, None] = {}
        self._clear()

    def _clear(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._origins: list[str] = []
        self._rejects: list[Reject] = []

    def add(self, number: int, row: object, raw: str) -> None:
        """Add one parsed value; a string or anything but an object is rejected.

        Raises:
            InputError: the rows have too many columns.
        """
        origin = f"{self._name}:{number}"
        reason = why_not_a_row(row)
        if reason is None and isinstance(row, dict):
            if not row.keys() <= self._columns.keys():
                self._columns |= dict.fromkeys(row)
                check_columns(self._columns)
            self._rows.append(row)
            self._origins.append(origin)
        else:
            self._rejects.append(Reject(origin, str(reason), raw))

    def reject(self, number: int, reason: str, raw: str) -> None:
        """Add one row that could not even be parsed."""
        self._rejects.append(Reject(f"{self._name}:{number}", reason, raw))

    def full(self) -> bool:
        """Whether the chunk is full."""
        return len(self._rows) + len(self._rejects) >= self._limit

    def take(self) -> Iterator[Chunk]:
        """The chunk collected so far, if it holds anything; then starts a new one."""
        if self._rows or self._rejects:
            chunk = Chunk(table_of(self._rows), self._rows, self._origins, self._rejects)
            self._clear()
            yield chunk


def why_not_a_row(value: object) -> str | None:
    """Why a JSON value cannot be a row; None if it can."""
    if not isinstance(value, dict):
        return "the line is not a JSON object"
    if not value:
        return "the row has no columns"
    return TOO_DEEP if is_deep(value) else None


class TwiceError(ValueError):
    """An object names a key twice, with different values: nobody knows which was meant."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs) and (twice := next((key for key, value in pairs if made[key] != value), None)):
        raise TwiceError(f"the object names the key {twice[:40]} twice")
    return made


loaded = json.JSONDecoder(object_pairs_hook=_once).decode
"""The value of a JSON text.

Raises:
    TwiceError: an object names a key twice, with different values.
    ValueError: it is not valid JSON.
"""


def parse_json(line: bytes) -> tuple[object, str | None]:
    """The value of a JSON text, or the reason why it has none.

    `NaN` and `Infinity` are accepted, as many scripts write them.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return None, "the line is not valid UTF-8"
    try:
        value = loaded(text)
    except RecursionError:
        return None, TOO_DEEP
    except TwiceError as error:
        return None, str(error)
    except ValueError:
        return None, "the line is not valid JSON"
    if has_escapes(line) and not is_deep(value) and has_lone_surrogate(value):
        return value, HALF_PAIR
    return value, None


def has_escapes(source: bytes) -> bool:
    """Whether a JSON text may contain a lone surrogate: that takes an escape, and few texts have one."""
    return b"\\ud" in source or b"\\uD" in source


def has_lone_surrogate(value: object) -> bool:
    """Whether a value contains text that UTF-8, and so Arrow and Parquet, cannot represent."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def json_lines(path: Path, rows: int) -> Iterator[Chunk]:
    """The file's lines; origins count lines from 1, including blank ones."""
    maker = ChunkMaker(path.name, rows)
    with open_bytes(path) as stream:
        for number, line in enumerate(lines(stream, b"\n"), 1):
            if line is None:
                maker.reject(number, TOO_LONG, "")
                continue
            line = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
            if not line.strip():
                continue
            value, reason = parse_json(line)
            raw = line.decode("utf-8", "replace").rstrip("\r\n")
            if reason is not None:
                maker.reject(number, reason, raw)
            else:
                maker.add(number, value, raw)
            if maker.full():
                yield from maker.take()
    yield from maker.take()


def json_array(path: Path, rows: int) -> Iterator[Chunk]:
    """The elements of one top-level array; origins count them from 1. Loads the whole file into memory.

    Raises:
        ValueError: the file is not one JSON array.
    """
    source = whole_file(path).removeprefix(BYTE_ORDER_MARK)
    try:
        values = loaded(source.decode("utf-8"))
    except RecursionError:
        raise ValueError("the JSON array is nested too deeply") from None
    yield from _chunks_of(values, path.name, rows, has_escapes(source))


def _chunks_of(values: Iterable[object], name: str, rows: int, escapes: bool) -> Iterator[Chunk]:
    maker = ChunkMaker(name, rows)
    for number, value in enumerate(values, 1):
        if is_deep(value):
            maker.reject(number, TOO_DEEP, "")
        elif escapes and has_lone_surrogate(value):
            maker.reject(number, HALF_PAIR, json.dumps(value))
        else:
            maker.add(number, value, "" if isinstance(value, dict) else json.dumps(value, ensure_ascii=False))
        if maker.full():
            yield from maker.take()
    yield from maker.take()


def json_lines_or_array(path: Path, rows: int) -> Iterator[Chunk]:
    """A `.jsonl` file, which some scripts write as one array."""
    return json_array(path, rows) if _first_byte(path) == b"[" else json_lines(path, rows)


def json_file(path: Path, rows: int) -> Iterator[Chunk]:
    """A `.json` file: an array if its first character is `[`, else JSON lines, or one object that contains the rows.

    Raises:
        ValueError: the file is neither.
        InputError: its object contains several lists of rows.
    """
    if _first_byte(path) == b"[":
        return json_array(path, rows)
    if not _is_one_object(path):
        return json_lines(path, rows)
    source = whole_file(path).removeprefix(BYTE_ORDER_MARK)
    try:
        whole = loaded(source.decode("utf-8"))
    except RecursionError:
        raise ValueError("the JSON object is nested too deeply") from None
    found = rows_within(whole)
    if found is None and b"\n" not in source.strip():
        return json_lines(path, rows)
    return _chunks_of([whole] if found is None else found, path.name, rows, has_escapes(source))


def _is_one_object(path: Path) -> bool:
    """Whether a file is a single object: its first line is all of it, or opens an object without closing it."""
    with open_bytes(path) as stream:
        filled = (line for line in lines(stream, b"\n") if line is None or line.strip())
        first = (next(filled, None) or b"").strip()
        alone = next(filled, END) is END
    return alone or not first.endswith(b"}")


def _first_byte(path: Path) -> bytes:
    with open_bytes(path) as stream:
        head = stream.read(3)
        head = stream.read(1) if head == BYTE_ORDER_MARK else head
        while head and not head.strip():
            head = stream.read(1)
    return head.strip()[:1]
