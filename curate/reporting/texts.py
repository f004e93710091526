"""What the page needs to know of the texts of every row (prompt, length, markdown), and the texts of a few rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.errors import InputError, RowError
from curate.hashing import text_of
from curate.readers import Layout, detect, first_rows
from curate.readers.files.table import Table
from curate.readers.parts.unread import TOOL_COLUMNS
from curate.schema import TOKENS, Record

MARKDOWN = r"(?m)^#{1,6} |^\s*[-*+] |^\s*\d+[.)] |\*\*[^*\n]+\*\*|^```|`[^`\n]+`"
"""What counts as a mark of markdown: a heading, a list item, bold text, a code block, a code span."""
WORD = r"\w+|[^\w\s]"
CHUNK_ROWS = 8192


@dataclass(frozen=True)
class Texts:
    """Facts on the texts of all rows.

    Attributes:
        prompts: which prompt each row has, from 0 on: int64 [rows]; rows without a readable prompt each count as one.
        words: words and punctuation marks of chosen and rejected: float64 [rows], NaN where unreadable; None where the
            table has its own lengths, so that nothing counted them.
        marks: marks of markdown of chosen and rejected, likewise.
        unreadable: rows whose texts cannot be read.
    """

    prompts: np.ndarray
    words: tuple[np.ndarray, np.ndarray] | None
    marks: tuple[np.ndarray, np.ndarray]
    unreadable: int


def pair_layout(table: Table) -> Layout:
    """How the texts of a table of pairs are read.

    Raises:
        InputError: its rows are not pairs.
    """
    layout = detect(first_rows(table.source), "pairs", "keep", tools=True)
    if layout.kind != "pairs":
        raise InputError(
            "These rows are prompts with a list of responses, not pairs.",
            table.source.name,
            "Build pairs first: curate pair ... --best-of-n2.",
        )
    return layout


def read_texts(table: Table, layout: Layout, advance: Callable[[int], object]) -> Texts:
    """Read the texts of all rows once, a few thousand at a time; `advance` is called with the rows of each piece."""
    has_lengths = {TOKENS.chosen, TOKENS.rejected} <= set(table.schema.names)
    counted = {"mc": _count("chosen", MARKDOWN), "mr": _count("rejected", MARKDOWN)}
    if not has_lengths:
        counted |= {"wc": _count("chosen", WORD), "wr": _count("rejected", WORD)}
    pieces: list[pl.DataFrame] = []
    for frame in _frames(table, layout):
        pieces.append(frame.select(prompt=pl.col("prompt").hash(seed=0), **counted))
        advance(frame.height)
    found = pl.concat(pieces)
    sides = {name: found[name].to_numpy() for name in counted}
    lost = np.isnan(sides["mc"])
    codes = found["prompt"].rank("dense").to_numpy().astype(np.int64)
    codes[lost] = codes.max(initial=0) + 1 + np.arange(int(lost.sum()))
    codes = np.unique(codes, return_inverse=True)[1]
    words = None if has_lengths else (sides["wc"], sides["wr"])
    return Texts(codes, words, (sides["mc"], sides["mr"]), int(lost.sum()))


def records_at(table: Table, layout: Layout, rows: np.ndarray) -> list[Record | None]:
    """The texts of these rows (ascending row numbers); None where they cannot be read."""
    return [parsed(layout, row) for row in table.at(rows).to_pylist()]


def _count(column: str, pattern: str) -> pl.Expr:
    return pl.col(column).str.count_matches(pattern).cast(pl.Float64).fill_null(float("nan"))


def parsed(layout: Layout, row: Any) -> Record | None:
    """The texts of a row; None where they cannot be read."""
    try:
        return layout.parse(row)
    except RowError:
        return None


def _frames(table: Table, layout: Layout) -> Iterator[pl.DataFrame]:
    """Prompt (in one spelling), chosen and rejected of all rows."""
    columns = _plain_columns(table, layout)
    if columns is not None:
        for batch in table.batches(["chosen", "rejected"]):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            yield frame.select(**columns)
        return
    schema = dict.fromkeys(("prompt", "chosen", "rejected"), pl.String)
    for batch in table.batches():
        for start in range(0, batch.num_rows, CHUNK_ROWS):
            records = [parsed(layout, row) for row in batch.slice(start, CHUNK_ROWS).to_pylist()]
            yield pl.DataFrame([_three(record) for record in records], schema, orient="row")


def _three(record: Record | None) -> Sequence[str | None]:
    if record is None or record.pair is None:
        return None, None, None
    return text_of(record.prompt), record.responses[record.pair[0]], record.responses[record.pair[1]]


def _plain_columns(table: Table, layout: Layout) -> dict[str, pl.Expr] | None:
    """The three texts as expressions, where both sides are whole conversations as messages; else None.

    Such tables are what `curate` writes, and the only ones large enough for the time to matter.
    """
    names = {name.lower() for name in table.schema.names}
    if layout.name != "implicit" or not {"chosen", "rejected"} <= set(table.schema.names) or names & {*TOOL_COLUMNS}:
        return None
    if not all(_messages(table.schema.field(side).type) for side in ("chosen", "rejected")):
        return None

    def last(side: str) -> pl.Expr:
        return pl.col(side).list.last().struct.field("content")

    before = pl.col("chosen").list.slice(0, pl.col("chosen").list.len().cast(pl.Int64) - 1)
    spelled = pl.concat_str(
        pl.element().struct.field("role"), pl.lit("\x1f"), pl.element().struct.field("content"), pl.lit("\x1e")
    )
    return {"prompt": before.list.eval(spelled).list.join(""), "chosen": last("chosen"), "rejected": last("rejected")}


def _messages(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not pa.types.is_struct(kind.value_type):
        return False
    inner = kind.value_type
    names = {inner.field(i).name for i in range(inner.num_fields)}
    return names == {"role", "content"} and all(_is_text(inner.field(name).type) for name in names)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


SPLIT = re.compile(r"\s+|\w+|[^\w\s]")


def marked(chosen: str, rejected: str) -> tuple[list[list[Any]], list[list[Any]]]:
    """Both texts cut into pieces: [1, text] where it is not in the other text, [0, text] where it is."""
    from rapidfuzz.distance import Indel

    sides = [SPLIT.findall(text) for text in (chosen, rejected)]
    ids: dict[str, int] = {}
    coded = [[ids.setdefault(piece, len(ids)) for piece in side] for side in sides]
    left: list[list[Any]] = []
    right: list[list[Any]] = []
    for step in Indel.opcodes(coded[0], coded[1]):
        one = "".join(sides[0][step.src_start : step.src_end])
        other = "".join(sides[1][step.dest_start : step.dest_end])
        differs = int(step.tag != "equal")
        if one:
            left.append([differs, one])
        if other:
            right.append([differs, other])
    return left, right
