"""Copying a table's rows, some of them, with columns added: texts stream, whatever the size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from curate.pipeline.output import plain
from curate.readers.tables import Table
from curate.writers.parquet import write_output


def copy_rows(
    table: Table,
    added: Mapping[str, pl.Series],
    manifest: Mapping[str, Any],
    out: Path,
    mask: pl.Series | None = None,
) -> int:
    """Write the rows for which `mask` holds (all without one); an added column of a known name takes its place.

    Returns:
        The rows written.
    """

    def tables() -> Iterator[pa.Table]:
        first = 0
        for batch in table.batches():
            piece = batch
            for name, column in added.items():
                values = plain(column.slice(first, batch.num_rows).to_arrow())
                place = piece.schema.get_field_index(name)
                piece = piece.append_column(name, values) if place < 0 else piece.set_column(place, name, values)
            yield piece if mask is None else piece.filter(mask.slice(first, batch.num_rows).to_arrow())
            first += batch.num_rows

    return write_output(tables(), next(tables()).schema, manifest, out)
