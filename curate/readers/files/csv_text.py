"""CSV and TSV files. Column types are decided over the whole file first, so that they do not depend on the chunks."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.readers.contract import Chunk, Reject
from curate.readers.files.limits import LINE_BYTES, TOO_LONG, check_columns, lines
from curate.readers.files.streams import open_bytes
from curate.readers.parts.column_names import CHOSEN, PROMPTS, REJECTED, folded

# a number with leading zeros is an identifier, and remains text
WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})\Z", re.ASCII)
DECIMAL = re.compile(r"[-+]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]?\d+)?\Z|[-+]?(nan|inf)\Z", re.ASCII | re.IGNORECASE)
WITH_COMMA = re.compile(r"[-+]?(0|[1-9]\d*)(,\d+)?\Z", re.ASCII)
# 1.234,5 and, in the same column, 1.234 and 0,5
DOTTED = re.compile(r"[-+]?(\d{1,3}(\.\d{3})+|0|[1-9]\d*)(,\d+)?\Z", re.ASCII)
TRUTH = re.compile(r"(true|false)\Z", re.IGNORECASE)

NAMED = re.compile(r"sep=([,;\t|])")
SEPARATORS = (",", ";", "\t", "|")

Kind = tuple[re.Pattern[str] | None, pa.DataType, Callable[[str], Any]]
KINDS: tuple[Kind, ...] = (
    (WHOLE, pa.int64(), int),
    (DECIMAL, pa.float64(), float),
    (WITH_COMMA, pa.float64(), lambda text: float(text.replace(",", "."))),
    (DOTTED, pa.float64(), lambda text: float(text.replace(".", "").replace(",", "."))),
    (TRUTH, pa.bool_(), lambda text: text.lower() == "true"),
    (None, pa.string(), str),
)
TEXTS = frozenset({*CHOSEN, *REJECTED, *PROMPTS})
COMMAS, TEXT = {2, 3}, len(KINDS) - 1


def csv_file(path: Path, rows: int) -> Iterator[Chunk]:
    """The file's records under its header line; origins count records from 1, blank lines left out.

    Columns that are all numbers or true/false get that type, with empty cells as null; everything else is text.

    Raises:
        ValueError: there is no header, or it names a column twice.
        csv.Error: the file is not CSV.
    """
    header = _header(path)
    kinds = _settle(path, header)
    good: list[tuple[int, list[str]]] = []
    rejects: list[Reject] = []
    for number, cells in enumerate(_records(path), 1):
        reason = _why_bad(cells, header)
        if reason is None:
            good.append((number, cells))
        else:
            rejects.append(Reject(f"{path.name}:{number}", reason, ",".join(cells).encode("utf-8", "replace").decode()))
        if len(good) + len(rejects) >= rows:
            yield _chunk(path.name, header, kinds, good, rejects)
            good, rejects = [], []
    if good or rejects:
        yield _chunk(path.name, header, kinds, good, rejects)


def _lines(path: Path) -> Iterator[list[str]]:
    # the default limit of 128 KiB per cell is too short for long conversations
    csv.field_size_limit(LINE_BYTES)
    delimiter, skipped = _delimiter(path)
    with open_bytes(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        whole = (_not_too_long(line) for line in lines(text, ("\n", "\r")))
        yield from csv.reader(itertools.islice(whole, skipped, None), delimiter=delimiter)


def _not_too_long(line: str | None) -> str:
    if line is None:
        # A quoted cell may span many lines, so nobody knows where the next row begins.
        raise csv.Error(TOO_LONG)
    return line


def _delimiter(path: Path) -> tuple[str, int]:
    """What separates a file's cells, and how many lines say only that: Excel reads a first line `sep=;`."""
    with open_bytes(path) as stream:
        head = stream.readline(LINE_BYTES).decode("utf-8-sig", "replace").partition("\r")[0].rstrip("\n")
    named = NAMED.fullmatch(head)
    if named is not None:
        return named[1], 1
    return ("\t" if ".tsv" in (suffix.lower() for suffix in path.suffixes[-2:]) else separator(head)), 0


def separator(header: str) -> str:
    """The delimiter of a file: the one that splits its header line into the most names.

    Spreadsheets in many countries use semicolons, because the comma is their decimal point.
    """
    cells = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in SEPARATORS}
    return max(SEPARATORS, key=lambda mark: cells[mark])


def _records(path: Path) -> Iterator[list[str]]:
    lines = _lines(path)
    next(lines, None)
    return (cells for cells in lines if cells)


def _header(path: Path) -> list[str]:
    header = next(_lines(path), [])
    if header and _why_bad(header, header):
        raise ValueError("the header line is not valid UTF-8")
    check_columns(header)
    if len(set(header)) < len(header):
        raise ValueError("the header line names a column twice")
    return header


def _why_bad(cells: list[str], header: list[str]) -> str | None:
    if len(cells) != len(header):
        return "the row does not have as many cells as the header"
    if any(_is_broken(cell) for cell in cells):
        return "the row is not valid UTF-8"
    return None


def _is_broken(cell: str) -> bool:
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _settle(path: Path, header: list[str]) -> list[int]:
    """For each column the first of KINDS that fits all its cells; decimal commas only with semicolons."""
    kinds = set(range(TEXT)) - (set() if _delimiter(path)[0] == ";" else COMMAS)
    width = len(header)
    fits = [set(kinds) for _ in range(width)]
    seen = [False] * width
    for cells in _records(path):
        if len(cells) != width:
            continue
        for place, cell in enumerate(cells):
            if cell and fits[place]:
                seen[place] = True
                fits[place] = {kind for kind in fits[place] if _fits(kind, cell)}
    return [
        min(kinds) if kinds and found and not _holds_text(name) else TEXT
        for kinds, found, name in zip(fits, seen, header, strict=True)
    ]


def _holds_text(column: str) -> bool:
    """Whether a column of this name holds prompts or responses, which may all be numbers in a table of sums."""
    return folded(column) in TEXTS


def _fits(kind: int, cell: str) -> bool:
    pattern = KINDS[kind][0]
    return pattern is None or pattern.match(cell) is not None


def _chunk(
    name: str, header: list[str], kinds: list[int], good: list[tuple[int, list[str]]], rejects: list[Reject]
) -> Chunk:
    columns: dict[str, pa.Array] = {}
    for place, column in enumerate(header):
        _, arrow, convert = KINDS[kinds[place]]
        cells = [cells[place] for _, cells in good]
        columns[column] = pa.array([convert(cell) if cell or convert is str else None for cell in cells], arrow)
    table = pa.table(columns)
    return Chunk(table, table.to_pylist(), [f"{name}:{number}" for number, _ in good], rejects)
