"""Conversations in the house's own form: messages of a role and a text, and pairs that share a context."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from curate.errors import RowError
from curate.schema import Message, Record

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
}
TOOL_ROLES = {"tool", "function", "observation", "function_call", "ipython"}
TOOL_FIELDS = ("tool_calls", "function_call")


def decoded(value: object) -> object:
    """A list or mapping written as JSON text, as CSV files hold them; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        inner = json.loads(value)
        json.dumps(inner, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return value
    return inner


def message_list(value: object) -> list[Any] | None:
    """The messages in a value, still unchecked, or None if it is no list of messages, nor the JSON text of one."""
    inner = decoded(value)
    if not isinstance(inner, list) or not inner:
        return None
    return inner if all(isinstance(one, Mapping) and _role_name(one) is not None for one in inner) else None


def normalise(messages: object) -> list[Message]:
    """Messages of any spelling as `{"role", "content"}` with the roles system, user and assistant.

    Args:
        messages: a list of mappings, or its JSON text; keys `role`/`content` or `from`/`value`.

    Raises:
        RowError: it is no such list, is empty, or holds a message that cannot be read as text.
    """
    inner = decoded(messages)
    if not isinstance(inner, list):
        raise RowError("the conversation is not a list of messages")
    if not inner:
        raise RowError("the conversation has no messages")
    return [_message(one) for one in inner]


def _message(value: object) -> Message:
    if not isinstance(value, Mapping):
        raise RowError("a message is not a mapping of role and content")
    name = _role_name(value)
    if name is None:
        raise RowError("a message has no role")
    if name in TOOL_ROLES or any(_holds_something(value.get(key)) for key in TOOL_FIELDS):
        raise RowError("tool calls are not read yet")
    if name not in ROLES:
        raise RowError(f"the role {name[:30]!r} is not known")
    content = value.get("content") if value.get("content") is not None else value.get("value")
    return {"role": ROLES[name], "content": text_of(content)}


def _role_name(message: Mapping[str, Any]) -> str | None:
    role = message.get("role") if message.get("role") is not None else message.get("from")
    return role.strip().lower() if isinstance(role, str) and role.strip() else None


def _holds_something(value: object) -> bool:
    """Whether a field is used: Arrow fills the fields that a message lacks with nulls."""
    if isinstance(value, Mapping):
        return any(_holds_something(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_holds_something(inner) for inner in value)
    return value is not None and value != ""


def text_of(content: object) -> str:
    """The text of a message's content: a string, or a list of text parts, which are joined.

    Raises:
        RowError: there is no content, or not only text.
    """
    if content is None:
        raise RowError("a message has no content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise RowError("the content of a message is not text")
    if not content:
        raise RowError("a message has no content")
    return "".join(_part(part) for part in content)


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, Mapping) and part.get("type") in ("text", None) else None
    if not isinstance(text, str):
        raise RowError("a message has a part that is not text")
    return text


def split_shared(
    chosen: Sequence[Message], rejected: Sequence[Message], prompt: Sequence[Message] | None = None
) -> Record:
    """The pair in two conversations: their last messages, and the context that both share.

    Args:
        chosen: normalised messages of the preferred side, the response last.
        rejected: those of the other side.
        prompt: messages named as the prompt. Sides that both begin with it are taken for whole conversations, others
            for what follows it.

    Raises:
        RowError: a side does not end with the assistant, or the contexts differ, or there is none.
    """
    sides = [list(chosen), list(rejected)]
    if any(not side for side in sides):
        raise RowError("the conversation has no messages")
    if prompt:
        start = list(prompt)
        if not all(len(side) > len(start) and side[: len(start)] == start for side in sides):
            sides = [start + side for side in sides]
    if any(side[-1]["role"] != "assistant" for side in sides):
        raise RowError("a side does not end with the assistant")
    context, other = (side[:-1] for side in sides)
    if context != other:
        raise RowError("the two sides do not share the same context")
    if not context:
        raise RowError("there is no prompt before the response")
    return Record(tuple(context), (sides[0][-1]["content"], sides[1][-1]["content"]), (0, 1))
