"""Copying a table's rows, some of them, with columns added: texts stream, whatever the size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.readers.files.table import Table
from curate.writers.parquet import write_output

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def plain(array: pa.Array) -> pa.Array:
    """Without the large string and list types that Polars makes, which some readers do not know."""
    if pa.types.is_large_string(array.type) or str(array.type) == "string_view":
        return array.cast(pa.string())
    return array.cast(pa.list_(pa.string())) if pa.types.is_large_list(array.type) else array


Slices = Callable[[int, int], pl.Series]
"""(first row, number of rows) -> a column's values there."""


def copy_rows(
    table: Table,
    added: Mapping[str, Slices],
    manifest: Mapping[str, Any],
    out: Path,
    mask: np.ndarray | None = None,
    before: Callable[[], object] = lambda: None,
) -> int:
    """Write the rows for which `mask` (bool [rows]) holds, all without one.

    An added column of a known name takes its place.

    Args:
        table: the rows.
        added: columns to add.
        manifest: goes into the file.
        out: where to.
        mask: which rows.
        before: called when the new file is whole, before it is put in place.

    Returns:
        The rows written.
    """

    def tables() -> Iterator[pa.Table]:
        first = 0
        for batch in table.batches():
            piece = batch
            for name, column in added.items():
                values = plain(column(first, batch.num_rows).to_arrow())
                place = piece.schema.get_field_index(name)
                piece = piece.append_column(name, values) if place < 0 else piece.set_column(place, name, values)
            yield piece if mask is None else piece.filter(pa.array(mask[first : first + batch.num_rows]))
            first += batch.num_rows

    return write_output(tables(), next(tables()).schema, manifest, out, before)
