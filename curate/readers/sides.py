"""Rows that name a chosen and a rejected response, in all the forms in which these stand in columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Row
from curate.readers.messages import ROLES, decoded, message_list, normalise, split_shared
from curate.readers.scores import pair_measured
from curate.readers.transcripts import is_transcript, parse_prompt, parse_transcript
from curate.schema import Message, Record

REJECTED = ("rejected", "reject", "rejected_response")
PROMPT = ("prompt", "question")


@dataclass(frozen=True)
class Prompt:
    """The prompt that a row names, and the form in which it stood."""

    messages: tuple[Message, ...]
    form: str  # text, messages or transcript


def first_present(row: Row, names: Sequence[str]) -> Any:
    """The value of the first of these columns that is not null."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def both_sides(row: Row) -> tuple[Any, Any] | None:
    """The values of chosen and rejected, or None when one is missing."""
    chosen, rejected = row.get("chosen"), first_present(row, REJECTED)
    return None if chosen is None or rejected is None else (chosen, rejected)


def mostly(sample: Sequence[Row], fits: Callable[[Row, Any, Any], bool]) -> bool:
    """Whether at least half of the rows that have both sides fit; a few bad rows must not hide a layout."""
    answers = [fits(row, *sides) for row in sample if (sides := both_sides(row)) is not None]
    return bool(answers) and 2 * sum(answers) >= len(answers)


def is_conversation(value: object) -> bool:
    """Whether a value is a list of messages that opens with the user or the system, and so has its own context."""
    found = message_list(value)
    if not found:
        return False
    first = found[0]
    role = first.get("role") if first.get("role") is not None else first.get("from")
    return ROLES.get(str(role).strip().lower()) in ("user", "system")


def prompt_value(row: Row) -> Any:
    """What the row names as its prompt: `prompt`, `question`, or `instruction` with `input`."""
    found = first_present(row, PROMPT)
    if found is not None:
        return found
    instruction, extra = row.get("instruction"), row.get("input")
    if instruction is None or instruction == "":
        return extra
    if decoded(row.get("history")):
        raise RowError("a history beside the instruction is not read yet")
    if isinstance(instruction, str) and isinstance(extra, str) and extra:
        return f"{instruction}\n{extra}"
    return instruction


def read_prompt(row: Row) -> Prompt | None:
    """The row's prompt as messages, or None when it has none.

    Raises:
        RowError: it is neither text nor messages.
    """
    value = prompt_value(row)
    if value is None:
        return None
    if message_list(value) is not None:
        return Prompt(tuple(normalise(value)), "messages")
    if not isinstance(value, str):
        raise RowError("the prompt is neither text nor a list of messages")
    if is_transcript(value):
        return Prompt(tuple(parse_prompt(value)), "transcript")
    return Prompt(({"role": "user", "content": value},), "text")


def with_system(row: Row, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The context with the text of the column `system` in front, unless it has a system message of its own."""
    system = row.get("system")
    if not isinstance(system, str) or not system.strip() or (messages and messages[0]["role"] == "system"):
        return messages
    return ({"role": "system", "content": system}, *messages)


def parse_pair(row: Row) -> Record:
    """The pair of a row with chosen and rejected in any form, and with its prompt apart or inside them.

    Raises:
        RowError: the row is bad; the message says why.
    """
    sides = both_sides(row)
    if sides is None:
        raise RowError("a response of the pair is missing")
    if all(is_conversation(side) for side in sides):
        return finished(row, split_shared(normalise(sides[0]), normalise(sides[1]), _messages_prompt(row)))
    if all(is_transcript(side) for side in sides):
        return finished(row, split_shared(parse_transcript(sides[0]), parse_transcript(sides[1])))
    prompt = read_prompt(row)
    as_messages = all(message_list(side) is not None for side in sides)
    strip = prompt is not None and prompt.form == "transcript"
    chosen, rejected = (_completion(side, as_messages, strip) for side in sides)
    return finished(row, split_shared(chosen, rejected, prompt.messages if prompt else None))


def _messages_prompt(row: Row) -> tuple[Message, ...] | None:
    """The prompt beside whole conversations: heeded only as messages, since a prompt of text may be a mere excerpt."""
    value = first_present(row, PROMPT)
    return tuple(normalise(value)) if message_list(value) is not None else None


def _completion(value: object, as_messages: bool, strip: bool) -> list[Message]:
    if isinstance(value, str) and not as_messages:
        return [{"role": "assistant", "content": value.strip() if strip else value}]
    if isinstance(value, Mapping):
        return normalise([value])
    return normalise(value)


def finished(row: Row, record: Record) -> Record:
    """The record with the row's system text and its measurements."""
    return replace(record, prompt=with_system(row, record.prompt), measured=pair_measured(row, record.responses))
