"""Rows that name a chosen and a rejected response, in every column form."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Row
from curate.readers.parts.agreement import merged
from curate.readers.parts.column_names import SIDES
from curate.readers.parts.context import read_prompt, with_context
from curate.readers.parts.labels import resolved
from curate.readers.parts.markup import Template
from curate.readers.parts.messages import (
    CALLING,
    CONTENTS,
    ROLES,
    asked,
    decoded,
    holds_something,
    is_message,
    kind_of,
    message_list,
    normalise,
    role_name,
)
from curate.readers.parts.prompt_columns import first_present, messages_prompt
from curate.readers.parts.scores import pair_measured
from curate.readers.parts.structs import is_struct, told
from curate.readers.parts.transcripts import is_written_out, parse_written_out, said_after
from curate.schema import MODEL, REWARD, TOOL_CALLS, Message, Record
from curate.tokens.tools import response_text

OPENINGS, TURNS = ("[", "{"), ("Human:", "User:")
PRINTED = re.compile(r"\[?\s*\{\s*'(?:role|content|from|value)'\s*:")


def both_sides(row: Row) -> tuple[Any, Any] | None:
    """The values of chosen and rejected; None if one is missing."""
    for name, others in _side_columns(tuple(row)):
        chosen = row.get(name)
        if chosen is not None:
            rejected = first_present(row, others)
            if rejected is not None:
                return chosen, rejected
    return None


@lru_cache(maxsize=256)
def _side_columns(columns: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Those of `SIDES` that a row with these columns may have."""
    present = frozenset(columns)
    return tuple((name, others) for name, others in SIDES if name in present and not present.isdisjoint(others))


def mostly(sample: Sequence[Row], fits: Callable[[Row, Any, Any], bool]) -> bool:
    """Whether at least half of the rows with both sides fit; a few bad rows must not hide a layout."""
    answers = [fits(row, *sides) for row in sample if (sides := both_sides(row)) is not None]
    return bool(answers) and 2 * sum(answers) >= len(answers)


def is_conversation(value: object) -> bool:
    """Whether a value is a list of messages that opens with the user or the system, and so has its own context."""
    found = message_list(value)
    return found is not None and ROLES.get(role_name(found[0]) or "") in ("user", "system")


def in_messages(value: object) -> bool:
    """Whether a value is one message or a list of them."""
    return is_message(value) or message_list(value) is not None


def parse_pair(row: Row) -> Record:
    """The pair of a row with chosen and rejected in any form, and its prompt in another column or inside them.

    Raises:
        RowError: the row is bad; the message says why.
    """
    sides = both_sides(row)
    if sides is None:
        raise RowError("a response of the pair is missing")
    chosen, rejected = resolved(row, *sides)
    if not (is_struct(chosen) and is_struct(rejected)):
        return pair_of(row, chosen, rejected)
    both = told(chosen), told(rejected)
    record = pair_of(row, *(one.value for one in both))
    inside = {REWARD.name: tuple(one.reward for one in both), MODEL: tuple(one.model for one in both)}
    known = {name: values for name, values in inside.items() if None not in values}
    return replace(record, measured=known | dict(record.measured))


def pair_of(row: Row, chosen: Any, rejected: Any) -> Record:
    """The pair of two values, in a row that holds their prompt if they do not.

    Raises:
        RowError: the row is bad; the message says why.
    """
    if isinstance(chosen, str) and isinstance(rejected, str):
        chosen, rejected = _opened(chosen, rejected)
    whole = _whole(chosen, rejected)
    if whole is not None:
        return finished(row, with_prompt_apart(row, split_shared(*whole), (chosen, rejected)))
    prompt = read_prompt(row, (last_text(chosen), last_text(rejected)))
    how = prompt.written_out if prompt else None
    sides = (_completion(chosen, "chosen", how), _completion(rejected, "rejected", how))
    return finished(row, split_shared(*sides, prompt.messages if prompt else None))


def _opened(chosen: str, rejected: str) -> tuple[Any, Any]:
    """The conversations in two texts if both are JSON of one; otherwise the texts, as a response may be JSON.

    Raises:
        RowError: both are messages without their prompt, or a conversation in Python's notation, so that their
            meaning is unclear.
    """
    if not (chosen.startswith(OPENINGS) and rejected.startswith(OPENINGS)):
        return chosen, rejected
    if PRINTED.match(chosen) and PRINTED.match(rejected):
        raise RowError("chosen and rejected are messages as Python prints them, not JSON")
    inner = decoded(chosen), decoded(rejected)
    if all(is_conversation(side) for side in inner):
        return inner
    if all(in_messages(side) for side in inner):
        raise RowError("chosen and rejected are messages in JSON text, in other rows plain text")
    return chosen, rejected


def _whole(chosen: Any, rejected: Any) -> tuple[list[Message], list[Message]] | None:
    """Both sides as conversations that include their prompt; None if they do not."""
    if is_conversation(chosen) and is_conversation(rejected):
        return normalise(chosen, "chosen"), normalise(rejected, "rejected")
    if is_written_out(chosen) and is_written_out(rejected):
        return parse_written_out(chosen), parse_written_out(rejected)
    return None


def with_prompt_apart(row: Row, record: Record, sides: tuple[Any, Any]) -> Record:
    """A record whose responses came with their own prompt, plus what the row's other columns add to it.

    Raises:
        RowError: a column contradicts the conversations, or cannot be merged into them.
    """
    context = merged(messages_prompt(row), record.prompt)
    # `messages` often repeats the chosen conversation
    context = with_context(row, context, record.responses, known=sides)
    return record if context is record.prompt else replace(record, prompt=context)


def last_text(side: Any) -> str | None:
    """The text of a side's last message, unchanged, with the tools that it calls."""
    if isinstance(side, str):
        return side
    side = message_list(side) or side
    last = side[-1] if isinstance(side, list) and side else side
    if is_message(last) and any(holds_something(last.get(key)) for key in CALLING):
        with contextlib.suppress(RowError):
            return response_text(normalise([last])[0])
    if isinstance(last, dict):
        last = next((last[key] for key in CONTENTS if last.get(key) is not None), None)
    return last if isinstance(last, str) else None


def _completion(value: Any, name: str, how: Template | str | None) -> list[Message]:
    """One side without its prompt, as messages.

    Raises:
        RowError: neither text nor messages.
    """
    if isinstance(value, str):
        if value.startswith(TURNS) and "\nAssistant:" in value:
            raise RowError(f"{name} begins as a transcript, whose turns cannot be told apart")
        return [{"role": "assistant", "content": value if how is None else said_after(value, how)}]
    if is_message(value):
        return normalise([value], name)
    if isinstance(value, list) and (not value or message_list(value) is not None):
        return normalise(value, name)
    raise RowError(f"{name} is {kind_of(value)} where one text or messages are expected")


def finished(row: Row, record: Record) -> Record:
    """The record with the row's measurements.

    Raises:
        RowError: its prompt is empty.
    """
    asked(record.prompt)
    return replace(record, measured=pair_measured(row, record.responses))


def ends_with_assistant(sides: Sequence[Sequence[Message]]) -> None:
    """Refuse sides if one has no response.

    Raises:
        RowError: a side is empty, or ends with another role.
    """
    if any(not side for side in sides):
        raise RowError("the conversation has no messages")
    if any(side[-1]["role"] != "assistant" for side in sides):
        raise RowError("a side does not end with the assistant")


def split_shared(
    chosen: Sequence[Message], rejected: Sequence[Message], prompt: Sequence[Message] | None = None
) -> Record:
    """Split two conversations into a pair: their last messages, and the context that both share.

    Args:
        chosen: normalised messages of the preferred side, response last.
        rejected: the same for the other side.
        prompt: messages named as the prompt. A side that begins with it is a whole conversation; others follow it.

    Raises:
        RowError: a side does not end with the assistant, the contexts differ, or there is no context.
    """
    sides = [list(chosen), list(rejected)]
    if any(not side for side in sides):
        raise RowError("the conversation has no messages")
    if prompt:
        start = list(prompt)
        sides = [side if len(side) > len(start) and side[: len(start)] == start else start + side for side in sides]
    ends_with_assistant(sides)
    context, other = (side[:-1] for side in sides)
    if context != other:
        raise RowError("the two sides do not share the same context")
    if not context:
        raise RowError("there is no prompt before the response")
    answers = [side[-1] for side in sides]
    calls = tuple(one.get(TOOL_CALLS, "") for one in answers)
    texts = response_text(answers[0]), response_text(answers[1])
    return Record(tuple(context), texts, (0, 1), calls=calls if any(calls) else ())
