"""A conversation, and one message for each side: the ranking layout of LLaMA-Factory, and Axolotl's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Layout, Row
from curate.readers.messages import decoded, message_list, normalise, split_shared
from curate.readers.sides import both_sides, finished, mostly
from curate.schema import Record


def _context(row: Row) -> Any:
    if row.get("conversations") is not None:
        return row["conversations"]
    # beside a prompt, `messages` is often the whole conversation, response included
    return row.get("messages") if row.get("prompt") is None else None


def _fits(row: Row, chosen: Any, rejected: Any) -> bool:
    sides = (decoded(chosen), decoded(rejected))
    return all(isinstance(side, Mapping) for side in sides) and message_list(_context(row)) is not None


def matches(sample: Sequence[Row]) -> bool:
    """Whether most rows have a conversation and single messages as chosen and rejected."""
    return mostly(sample, _fits)


def parse(row: Row) -> Record:
    """The pair of one row.

    Raises:
        RowError: the row is bad; the message says why.
    """
    sides = both_sides(row)
    if sides is None:
        raise RowError("a response of the pair is missing")
    context = normalise(_context(row))
    chosen, rejected = (normalise([decoded(side)]) for side in sides)
    return finished(row, split_shared(context + chosen, context + rejected))


LAYOUT = Layout("sharegpt", "conversations + chosen, rejected as single messages", 30, "pairs", matches, parse)
