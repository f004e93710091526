"""Merge two readings of one context: a prompt and conversations, or conversations in two columns."""

from __future__ import annotations

from collections.abc import Sequence

from curate.errors import RowError
from curate.readers.parts.column_names import CONTEXT, CONVERSATIONS
from curate.schema import Message


def merged(prompt: tuple[Message, ...], context: tuple[Message, ...]) -> tuple[Message, ...]:
    """The context of whole conversations, with anything that the prompt adds in front.

    Raises:
        RowError: they are different conversations.
    """
    if not prompt or prompt == context:
        return context
    own, other = turns_of(context), turns_of(prompt)
    system = _one_system(context, prompt, "the responses")
    if own[: len(other)] == other or own[-len(other) :] == other:
        return context if not system or system_of(context) else (*system, *context)
    if other[-len(own) :] == own:
        return (*system, *other)
    if other[-1]["role"] == "assistant":
        return (*system, *other, *own)
    raise RowError("the prompt and the conversations in chosen and rejected are different")


def agreed(
    messages: tuple[Message, ...], whole: list[Message], before: list[Message], name: str, prompted: bool
) -> tuple[Message, ...]:
    """One context out of two readings of it.

    messages: the context as read.
        messages: as it was read.
        whole: the conversation in another column.
        before: the same without the response that ends it.
        name: that column's name.
        prompted: whether the context comes from a prompt column, which may be a mere excerpt. Otherwise it precedes the
            responses themselves.

    Raises:
        RowError: they contradict each other.
    """
    own, other = turns_of(messages), turns_of(before)
    system = _one_system(messages, before, name)
    same = messages if not system or system_of(messages) else (*system, *messages)
    ends_open = len(before) == len(whole)
    if not other or own == other or (ends_open and own == other[: len(own)]):
        return same
    if ends_open and other[-1]["role"] == "assistant" and name in CONVERSATIONS:
        other = other[:-1]
    if own == other[-len(own) :] or (not ends_open and own == other[: len(own)]):
        if not prompted and own != other:
            raise RowError(f"{name} holds turns that chosen and rejected do not have")
        return same if own == other else (*system, *other)
    if not prompted or own[-len(other) :] == other:
        return same
    if name in CONTEXT and other[-1]["role"] == "assistant" and own[0] not in other:
        return (*system, *other, *own)
    raise RowError(f"the prompt and {name} hold different conversations")


def _one_system(one: Sequence[Message], other: Sequence[Message], name: str) -> list[Message]:
    first, second = system_of(one), system_of(other)
    if first and second and first != second:
        raise RowError(f"the system messages of the prompt and of {name} are different")
    return first or second


def turns_of(messages: Sequence[Message]) -> list[Message]:
    """The messages of the user and the assistant."""
    return [message for message in messages if message["role"] != "system"]


def system_of(messages: Sequence[Message]) -> list[Message]:
    """The messages of the system."""
    return [message for message in messages if message["role"] == "system"]
