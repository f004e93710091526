"""One row per prompt with a list of responses: this tool's own output, Online-RLHF, distilabel and magpie."""

from __future__ import annotations

from collections.abc import Sequence

from curate.readers.contract import Layout, Row
from curate.readers.parts.column_names import RESPONSES, REWARDS
from curate.readers.parts.messages import decoded
from curate.readers.parts.response_lists import Columns, parse_candidates
from curate.schema import Record

COLUMNS = Columns(RESPONSES, REWARDS)


def matches(sample: Sequence[Row]) -> bool:
    """Whether a row has a list of responses."""
    return any(COLUMNS.has_responses(row) for row in sample) and not any(in_steps(row) for row in sample)


def in_steps(row: Row) -> bool:
    """Whether the list holds the steps of one answer, each labelled right or wrong: TRL's stepwise supervision."""
    labels = decoded(row.get("labels"))
    return isinstance(labels, list) and bool(labels) and all(isinstance(label, bool) for label in labels)


def parse(row: Row) -> Record:
    """The candidates of one row.

    Raises:
        RowError: the row is bad; the message says why.
    """
    return parse_candidates(row, COLUMNS)


# before simpo: this tool writes `responses` in front of a table that keeps its `all_generated_responses`
LAYOUT = Layout(
    "responses",
    "prompt + responses|generations|candidates|completions (+ rewards|scores|ratings|ranks)",
    10,
    "candidates",
    matches,
    parse,
)
