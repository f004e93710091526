"""The input's own plain columns (an id, a source), carried into an output that has other rows than the input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate.pipeline.staged import Staged
from curate.readers import conform, merge_schemas
from curate.store import read_table


def carried_schema(staged: Staged, leave_out: Callable[[str], bool]) -> pa.Schema | None:
    """The plain columns of the input but those left out; None when there are none. Lists and structs are not plain."""
    schema = merge_schemas([pq.read_schema(path) for path in staged.rows.paths()])
    fields = [f for f in schema if not pa.types.is_nested(f.type) and not leave_out(f.name)]
    return pa.schema(fields) if fields else None


def carried(schema: pa.Schema, staged: Staged, rows: list[int]) -> pa.Table:
    """These columns of these rows, which ascend."""
    pieces = []
    for number, inside in staged.by_shard(np.array(rows)):
        path = staged.rows.paths()[number]
        held = [name for name in schema.names if name in pq.read_schema(path).names]
        pieces.append(conform(read_table(path, held).take(inside - staged.shard_starts[number]), schema))
    return pa.concat_tables(pieces)
