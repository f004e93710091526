"""The input's own plain columns (an id, a source), carried into an output that has other rows than the input."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from curate.metrics.registry import all_metrics
from curate.progress import Reporter
from curate.readers import conform, merge_schemas
from curate.readers.parts.names import folded
from curate.readers.parts.slots import of_responses
from curate.responses.table import Staged
from curate.schema import RESPONSE_FIELDS, SAMPLED, named_reward, table_columns
from curate.weighing.registry import columns_written

OF_ONE_SIDE = re.compile(r"(chosen|reject|rejected)([_-].+)?|.+[_-](chosen|reject|rejected)")
"""Names of a pair's sides, and of what is said of one: `chosen_model`, `score_rejected`, `chosen-rating`."""
READ_AS_PROMPT = ("prompt", "response")
"""Further names that a reader would take for the new rows' prompt or responses."""


def carried_schema(staged: Staged, reporter: Reporter) -> pa.Schema | None:
    """The input's plain columns that still hold for its prompts; None when there are none.

    Lists and structs are not plain. Columns that describe the old responses are left out, and the user is told which.
    """
    schema = merge_schemas([staged.rows.schema(path) for path in staged.rows.paths()])
    plain = [field for field in schema if not pa.types.is_nested(field.type)]
    fields = [field for field in plain if not describes_responses(field.name)]
    left_out = [field.name for field in plain if describes_responses(field.name) and field.name != "prompt"]
    if left_out:
        reporter.note(f"columns left out because they describe the old responses: {', '.join(left_out)}")
    return pa.schema(fields) if fields else None


def describes_responses(name: str) -> bool:
    """Whether a column of the input says something of its responses, which does not hold for new ones."""
    own = {column.name for column in (*table_columns(), *SAMPLED)} | {field.candidates for field in RESPONSE_FIELDS}
    own |= all_metrics().keys() | columns_written()
    if name in own or name.startswith(named_reward("").candidates):
        return True
    spelled = folded(name)
    return spelled in READ_AS_PROMPT or of_responses(name) or OF_ONE_SIDE.fullmatch(spelled) is not None


def carried(schema: pa.Schema, staged: Staged, rows: list[int]) -> pa.Table:
    """These columns of these rows, which ascend."""
    pieces = []
    for number, inside in staged.by_shard(np.array(rows)):
        path = staged.rows.paths()[number]
        held = [name for name in schema.names if name in staged.rows.schema(path).names]
        if held:
            pieces.append(conform(staged.rows.table(path, held).take(inside - staged.shard_starts[number]), schema))
        else:  # a table without columns would not know how many rows it has
            pieces.append(pa.table({field.name: pa.nulls(inside.size, field.type) for field in schema}, schema=schema))
    return pa.concat_tables(pieces)
