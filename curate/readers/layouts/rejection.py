"""A whole conversation whose last message is the chosen response, next to the rejected response: ms-swift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Layout, Row
from curate.readers.parts.column_names import CONVERSATIONS, REJECTED
from curate.readers.parts.messages import (
    CALLS,
    ROLES,
    decoded,
    is_message,
    kind_of,
    message_list,
    normalise,
    role_name,
)
from curate.readers.parts.prompt_columns import first_name
from curate.readers.parts.sides import both_sides, finished, is_conversation, split_shared, with_prompt_apart
from curate.schema import Record

OTHERS = ("rejected_response", "rejected_messages", *(name for name in REJECTED if name != "rejected_response"))


def _values(row: Row) -> tuple[Any, Any] | None:
    column, other = first_name(row, CONVERSATIONS), first_name(row, OTHERS)
    return None if column is None or other is None else (decoded(row[column]), row[other])


def _fits(row: Row) -> bool:
    found = _values(row)
    messages = message_list(found[0]) if found is not None and both_sides(row) is None else None
    if messages is None:
        return False
    role = role_name(messages[-1]) or ""
    return role in CALLS or ROLES.get(role) == "assistant"


def matches(sample: Sequence[Row]) -> bool:
    """Whether most rows have a conversation that ends with an answer, and a rejected response."""
    return bool(sample) and 2 * sum(_fits(row) for row in sample) >= len(sample)


def parse(row: Row) -> Record:
    """The pair of one row.

    Raises:
        RowError: the row is bad; the message says why.
    """
    found = _values(row)
    if found is None:
        raise RowError("a response of the pair is missing")
    whole, other = normalise(found[0]), decoded(found[1]) if is_conversation(decoded(found[1])) else found[1]
    if is_conversation(other):
        rejected = normalise(other, "the rejected conversation")
    elif isinstance(other, str):
        rejected = [*whole[:-1], {"role": "assistant", "content": other}]
    elif is_message(other) or message_list(other):
        rejected = [*whole[:-1], *normalise([other] if is_message(other) else other)]
    else:
        raise RowError(f"the rejected response is {kind_of(other)} where one text or messages are expected")
    record = split_shared(whole, rejected)
    return finished(row, with_prompt_apart(row, record, (found[0], other)))


LAYOUT = Layout(
    "rejection", "messages (the last one is chosen) + rejected_response|rejected_messages", 35, "pairs", matches, parse
)
