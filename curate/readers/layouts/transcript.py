"""Chosen and rejected as one string each with a whole conversation: Anthropic's hh-rlhf, or chat template markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Layout, Row
from curate.readers.parts.sides import both_sides, finished, mostly, split_shared, with_prompt_apart
from curate.readers.parts.transcripts import is_written_out, parse_written_out
from curate.schema import Record


def _fits(row: Row, chosen: Any, rejected: Any) -> bool:
    return is_written_out(chosen) and is_written_out(rejected)


def matches(sample: Sequence[Row]) -> bool:
    """Whether most rows have two strings that begin with a turn marker."""
    return mostly(sample, _fits)


def parse(row: Row) -> Record:
    """The pair of one row: the last turns of both transcripts.

    Raises:
        RowError: the row is bad; the message says why.
    """
    sides = both_sides(row)
    if sides is None:
        raise RowError("a response of the pair is missing")
    if not all(isinstance(side, str) for side in sides):
        raise RowError("a transcript is not text")
    record = split_shared(parse_written_out(sides[0]), parse_written_out(sides[1]))
    return finished(row, with_prompt_apart(row, record, sides))


LAYOUT = Layout("transcript", "chosen, rejected as transcripts of Human: and Assistant:", 50, "pairs", matches, parse)
