"""All generated responses of a prompt with their reward-model scores, as published by SimPO and Snorkel."""

from __future__ import annotations

from collections.abc import Sequence

from curate.readers.contract import Layout, Row
from curate.readers.parts.column_names import SIMPO_RESPONSES, SIMPO_REWARDS
from curate.readers.parts.response_lists import Columns, parse_candidates
from curate.schema import Record

COLUMNS = Columns((SIMPO_RESPONSES,), (SIMPO_REWARDS,), with_measurements=False)


def matches(sample: Sequence[Row]) -> bool:
    """Whether a row has the list of all generated responses."""
    return any(COLUMNS.has_responses(row) for row in sample)


def parse(row: Row) -> Record:
    """The candidates of one row, and their pair if chosen and rejected are given too.

    Raises:
        RowError: the row is bad; the message says why.
    """
    return parse_candidates(row, COLUMNS)


LAYOUT = Layout(
    "simpo", "prompt + all_generated_responses + all_rm_scores (+ chosen, rejected)", 20, "candidates", matches, parse
)
