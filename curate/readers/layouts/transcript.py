"""Chosen and rejected as whole transcripts in one string each: Anthropic's hh-rlhf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Layout, Row
from curate.readers.messages import split_shared
from curate.readers.sides import both_sides, finished, mostly
from curate.readers.transcripts import is_transcript, parse_transcript
from curate.schema import Record


def _fits(row: Row, chosen: Any, rejected: Any) -> bool:
    return is_transcript(chosen) and is_transcript(rejected)


def matches(sample: Sequence[Row]) -> bool:
    """Whether most rows have two strings that begin with a turn's marker."""
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
    return finished(row, split_shared(parse_transcript(sides[0]), parse_transcript(sides[1])))


LAYOUT = Layout("transcript", "chosen, rejected as transcripts of Human: and Assistant:", 50, "pairs", matches, parse)
