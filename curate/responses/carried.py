"""Plain input columns (an id, a source) copied to an output whose rows are not those of the input."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from curate.metrics.registry import all_metrics
from curate.progress import Reporter
from curate.readers import conform, merge_schemas
from curate.readers.parts.column_names import folded
from curate.readers.parts.slots import of_responses
from curate.responses.table import Staged
from curate.schema import RESPONSE_FIELDS, SAMPLED, named_reward, table_columns
from curate.weighing.registry import columns_written

OF_ONE_SIDE = re.compile(r"(chosen|reject|rejected)([_-].+)?|.+[_-](chosen|reject|rejected)")
"""Names of a pair's sides, and of what describes one: `chosen_model`, `score_rejected`, `chosen-rating`."""
READ_AS_PROMPT = ("prompt", "response")
"""Other names that a reader would take for the new rows' prompt or responses."""


def carried_schema(staged: Staged, reporter: Reporter) -> pa.Schema | None:
    """The plain input columns that are still true of its prompts; None when there are none.

    Lists and structs are not plain. Columns that describe the old responses are left out, with a note.
    """
    schema = merge_schemas([staged.rows.schema(path) for path in staged.rows.paths()])
    plain = [field for field in schema if not pa.types.is_nested(field.type)]
    fields = [field for field in plain if not describes_responses(field.name)]
    left_out = [field.name for field in plain if describes_responses(field.name) and field.name != "prompt"]
    if left_out:
        reporter.note(f"columns left out because they describe the old responses: {', '.join(left_out)}")
    return pa.schema(fields) if fields else None


def describes_responses(name: str) -> bool:
    """Whether an input column describes its responses, and so is not true of new ones."""
    own = {column.name for column in (*table_columns(), *SAMPLED)} | {field.candidates for field in RESPONSE_FIELDS}
    own |= all_metrics().keys() | columns_written()
    if name in own or name.startswith(named_reward("").candidates):
        return True
    spelled = folded(name)
    return spelled in READ_AS_PROMPT or of_responses(name) or OF_ONE_SIDE.fullmatch(spelled) is not None


def carried(schema: pa.Schema, staged: Staged, rows: list[int]) -> pa.Table:
    """These columns of these rows, in ascending order."""
    pieces = []
    for number, inside in staged.by_shard(np.array(rows)):
        path = staged.rows.paths()[number]
        held = [name for name in schema.names if name in staged.rows.schema(path).names]
        if held:
            pieces.append(conform(staged.rows.table(path, held).take(inside - staged.shard_starts[number]), schema))
        else:  # a table without columns would lose its row count
            pieces.append(pa.table({field.name: pa.nulls(inside.size, field.type) for field in schema}, schema=schema))
    return pa.concat_tables(pieces)
