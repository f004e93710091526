"""Copy all or some of a table's rows, adding columns; streams, so memory does not grow with the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.readers.files.table import Table
from curate.schema import CALL_ID, TOOL_CALLS, TOOLS, Message
from curate.writers.parquet import write_output

SORTED_ROWS = 250_000
Columns = dict[str, pa.Array]
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
WITH_CALLS = pa.list_(pa.struct([(name, pa.string()) for name in ("role", "content", TOOL_CALLS, "name", CALL_ID)]))
"""Messages that may call tools, in JSON, and hold their results."""


def texts_of(prompts: Sequence[Sequence[Message]], sides: Mapping[str, Sequence[Message]], tools: bool) -> Columns:
    """The columns of prompts and of the responses to them, as messages.

    Args:
        prompts: the messages before each response.
        sides: the response of each prompt by column, if any.
        tools: whether a row of the table has tools, or calls of them: they need a column of their own, and messages
            with more fields.
    """
    kind = WITH_CALLS if tools else MESSAGES
    columns: Columns = {}
    if tools:
        offered = (next((one["content"] for one in prompt if one["role"] == TOOLS), None) for prompt in prompts)
        columns[TOOLS] = pa.array(list(offered), pa.string())
        prompts = [[one for one in prompt if one["role"] != TOOLS] for prompt in prompts]
    columns["prompt"] = pa.array(prompts, kind)
    return columns | {name: pa.array([[one] for one in answers], kind) for name, answers in sides.items()}


def plain(array: pa.Array) -> pa.Array:
    """Convert the large string and list types of Polars, which some readers do not support, to plain ones."""
    if pa.types.is_large_string(array.type) or str(array.type) == "string_view":
        return array.cast(pa.string())
    return array.cast(pa.list_(pa.string())) if pa.types.is_large_list(array.type) else array


Slices = Callable[[int, int], pl.Series]
"""Maps (first row, number of rows) to a column's values there."""


def copy_rows(
    table: Table,
    added: Mapping[str, Slices],
    manifest: Mapping[str, Any],
    out: Path,
    mask: np.ndarray | None = None,
    before: Callable[[], object] = lambda: None,
    order: np.ndarray | None = None,
    seen: Callable[[int, pa.Table], object] = lambda first, rows: None,
) -> int:
    """Write the rows for which `mask` (bool [rows]) is true; all rows without a mask.

    An added column replaces an existing one of the same name.

    Args:
        table: the rows.
        added: columns to add.
        manifest: stored in the file.
        out: where to write.
        mask: which rows to write.
        before: called when the new file is complete, before it is put in place.
        order: the numbers of the rows to write, in the order to write them; replaces `mask`.
        seen: called with every piece of the table as it is read, and with the number of its first row; with `order`
            perhaps several times.

    Returns:
        The number of rows written.
    """

    def pieces(mask: np.ndarray | None) -> Iterator[pa.Table]:
        first = 0
        for batch in table.batches():
            piece = batch
            seen(first, batch)
            for name, column in added.items():
                values = plain(column(first, batch.num_rows).to_arrow())
                place = piece.schema.get_field_index(name)
                piece = piece.append_column(name, values) if place < 0 else piece.set_column(place, name, values)
            yield piece if mask is None else piece.filter(pa.array(mask[first : first + batch.num_rows]))
            first += batch.num_rows

    def tables() -> Iterator[pa.Table]:
        if order is None:
            yield from pieces(mask)
            return
        # The input is read once for every so many rows of the output, so memory stays bounded.
        for start in range(0, max(1, order.size), SORTED_ROWS):
            rows = order[start : start + SORTED_ROWS]
            wanted = np.zeros(table.rows, bool)
            wanted[rows] = True
            yield pa.concat_tables(pieces(wanted)).take(pa.array(np.argsort(np.argsort(rows))))

    return write_output(tables(), next(tables()).schema, manifest, out, before)
