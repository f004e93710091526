"""Several responses in separate columns, with or without scores: `response_0` to `response_4`."""

from __future__ import annotations

from collections.abc import Sequence

from curate.errors import RowError
from curate.readers.contract import Layout, Row
from curate.readers.parts.response_lists import record_of, response_of
from curate.readers.parts.scores import number
from curate.readers.parts.sides import both_sides
from curate.readers.parts.slots import slots_of
from curate.schema import REWARD, Record


def _fits(row: Row) -> bool:
    slots = slots_of(row)
    # two responses are a pair, whose verdict is read elsewhere or is in a column of unknown name
    return slots is not None and len(slots.columns) > 2 and both_sides(row) is None


def matches(sample: Sequence[Row]) -> bool:
    """Whether most rows have three or more response columns, and do not name a pair."""
    return bool(sample) and 2 * sum(_fits(row) for row in sample) >= len(sample)


def parse(row: Row) -> Record:
    """The candidates of one row; columns that are null are left out.

    Raises:
        RowError: the row is bad; the message says why.
    """
    slots = slots_of(row)
    if slots is None:
        raise RowError("there are no columns of responses")
    places = [place for place, column in enumerate(slots.columns) if row[column] is not None]
    sides = [response_of(row[slots.columns[place]], slots.columns[place]) for place in places]
    scores = [number(row[slots.scores[place]]) for place in places] if slots.scores else []
    if slots.ranked:
        scores = [None if score is None else 0.0 - score for score in scores]
    return record_of(row, sides, {REWARD.name: tuple(scores)} if scores else {})


LAYOUT = Layout(
    "wide", "prompt + response_0, response_1, ... (+ response_0_reward|score, ...)", 70, "candidates", matches, parse
)
