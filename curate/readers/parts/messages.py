"""Conversations in one standard form: messages with a role and a text, and pairs that share a context."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from curate.errors import RowError
from curate.readers.files.limits import is_deep
from curate.schema import CALL_ID, TOOL, TOOL_CALLS, TOOLS, Message, Record

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
    "ai": "assistant",
}
CONTENTS = ("content", "value", "parts")
"""What a message says: OpenAI's key, ShareGPT's, Gemini's."""
RESULTS = frozenset({"tool", "function", "observation", "ipython", "tool_response"})
CALLS = frozenset({"function_call", "tool_call"})
"""Roles of a tool's result, and of a call in a message of its own."""
CALLING = frozenset({TOOL_CALLS, "function_call"})
"""Fields of a message that calls tools."""
ARGUMENTS = ("arguments", "parameters", "args", "input")
OF_A_CALL = frozenset({*ARGUMENTS, "name", "id", "type", "index", "function"})
NOT_TEXT = {
    **dict.fromkeys(("image", "images", "audio", "audios", "video", "videos"), "a message has images or sound"),
    **dict.fromkeys(
        ("reasoning_content", "reasoning", "thinking"), "a message has reasoning apart from its content, not read yet"
    ),
    **dict.fromkeys(("tools", "functions"), "a message offers tools, which are read in a column only"),
    "function_calls": "a message calls tools in function_calls, which is not read; tool_calls is",
}
"""Fields of a message that the model reads but the text does not contain."""
TWICE = re.compile(r"\s*\"\s*\[?\s*\{\s*\\\"(?:role|content|from|value)\\\"")
"""The JSON text of messages as a JSON string, which a column holds that was encoded twice."""
PARTS_IN_TEXT = re.compile(r'\s*\[\s*\{\s*"type"\s*:\s*"(?:text|image|image_url|input_text|input_image|audio|video)"')
TEXT_PARTS = ("text", "input_text", "output_text", None)


def decoded(value: object) -> object:
    """A list or mapping written as JSON text, as in CSV files; anything else unchanged."""
    if not isinstance(value, str):
        return value
    twice = value.lstrip().startswith('"') and TWICE.match(value) is not None
    if not twice and not value.lstrip().startswith(("[", "{")):
        return value
    try:
        inner = json.loads(json.loads(value)) if twice else json.loads(value)
        json.dumps(inner, ensure_ascii=False).encode("utf-8")
    except (ValueError, TypeError, RecursionError):
        return value
    return value if is_deep(inner) else inner


def is_message(value: object) -> bool:
    """Whether a value is a mapping that names a role."""
    return isinstance(value, dict) and role_name(value) is not None


def message_list(value: object) -> list[Any] | None:
    """The messages in a list, still unchecked; None if the value is not a list of messages.

    Each message may be JSON text, as `datasets` stores those whose fields differ.
    """
    if not isinstance(value, list) or not value:
        return None
    if isinstance(value[0], str) and value[0].startswith("{"):
        value = [_with_calls_as_written(decoded(one)) for one in value]
    for one in value:
        if not is_message(one):
            return None
    return value


def _with_calls_as_written(message: object) -> object:
    """A message from JSON text, in which a null is not what Arrow filled in."""
    if not isinstance(message, dict) or not isinstance(message.get(TOOL_CALLS), list):
        return message
    return message | {TOOL_CALLS: json.dumps(message[TOOL_CALLS], ensure_ascii=False)}


def normalise(messages: object, name: str = "the conversation") -> list[Message]:
    """Messages of any spelling as `{"role", "content"}` with the roles system, user and assistant.

    Args:
        messages: a list of mappings; keys `role`/`content` or `from`/`value`.
        name: the user's name for it, for the reason.

    Raises:
        RowError: not a list of messages, empty, or with a message that cannot be read as text.
    """
    if not isinstance(messages, list):
        raise RowError(f"{name} is {kind_of(messages)} where messages are expected")
    if not messages:
        raise RowError(f"{name} has no messages")
    if isinstance(messages[0], str):
        messages = message_list(messages) or messages
    made = [_message(one, name) for one in messages]
    if all(PARTS_IN_TEXT.match(message["content"]) for message in made):
        return [{**message, "content": text_of(decoded(message["content"]))} for message in made]
    return made


def kind_of(value: object) -> str:
    """What a value is, in plain words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"a truth value ({str(value).lower()})"
    if isinstance(value, int | float):
        return f"a number ({value})"
    if isinstance(value, dict):
        return f"a struct of {', '.join(str(key) for key in list(value)[:4])}" if value else "an empty struct"
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return f"a list of {len(value)} text{'s' if len(value) > 1 else ''}"
    if isinstance(value, list):
        return f"a list whose first entry is {kind_of(value[0])}" if value else "an empty list"
    return "text" if isinstance(value, str) else f"a {type(value).__name__}"


def _message(value: object, name: str) -> Message:
    role = role_name(value) if isinstance(value, dict) else None
    if not isinstance(value, dict) or role is None:
        raise RowError(f"{name} holds {kind_of(value)} where messages with a role are expected")
    for key in value:
        if key in NOT_TEXT and holds_something(value[key]):
            raise RowError(NOT_TEXT[key])
    content = next((value[key] for key in CONTENTS if value.get(key) is not None), None)
    if role in RESULTS:
        told = {key: value[key] for key in ("name", CALL_ID) if isinstance(value.get(key), str)}
        return {"role": TOOL, "content": text_of(content), **told}
    calls = _calls(content) if role in CALLS else _calls_of(value)
    if calls and (role in CALLS or ROLES.get(role) == "assistant"):
        said = "" if content is None or role in CALLS else text_of(content)
        return {"role": "assistant", "content": said, TOOL_CALLS: json.dumps(calls, ensure_ascii=False)}
    if calls or role not in ROLES:
        raise RowError(f"the role {role[:30]!r} {'calls a tool' if calls else 'is not known'}")
    return {"role": ROLES[role], "content": text_of(content)}


def _calls_of(message: dict[str, Any]) -> list[Any]:
    """The calls of tools in a message's own fields."""
    found = next((message[key] for key in (TOOL_CALLS, "function_call") if holds_something(message.get(key))), None)
    return [] if found is None else _calls(found)


def _calls(value: object) -> list[Any]:
    """Calls as chat templates read them, each with a function's name and its arguments as a mapping.

    Raises:
        RowError: they have another form.
    """
    listed: Any = decoded(value)
    calls = []
    for one in listed if isinstance(listed, list) else [listed]:
        call: Any = decoded(one)
        function: Any = decoded(call.get("function", call)) if isinstance(call, dict) else None
        given = _arguments(function) if isinstance(function, dict) else None
        arguments = decoded(given)
        if not isinstance(arguments, dict) or not isinstance(function.get("name"), str):
            raise RowError("a call of a tool has no name, or no arguments in JSON: such tool calls cannot be read")
        # text is as its author wrote it; Arrow fills structs
        as_written = any(isinstance(each, str) for each in (value, one, given))
        named = {"name": function["name"], "arguments": arguments if as_written else without_nulls(arguments)}
        known = {"id": call["id"]} if isinstance(call.get("id"), str) else {}
        calls.append({**known, "type": "function", "function": named})
    return calls


def _arguments(function: dict[str, Any]) -> object:
    """The arguments of a call, under any of their names; an empty mapping if there are none.

    Raises:
        RowError: there is something else, which may be the arguments.
    """
    found = next((function[key] for key in ARGUMENTS if function.get(key) not in (None, "")), None)
    if found is not None:
        return found
    other = next((key for key in function if key not in OF_A_CALL and holds_something(function[key])), None)
    if other is not None:
        raise RowError(f"a call of a tool has {other}, and no arguments: such tool calls cannot be read")
    return {}


def without_nulls(value: Any) -> Any:
    """A value without the nulls with which Arrow fills the fields that only other rows have."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def said_by(message: Message) -> str:
    """The text of one of a list of responses.

    Raises:
        RowError: it calls tools, which lists of responses have no place for.
    """
    if TOOL_CALLS in message:
        raise RowError("a response in a list of responses calls a tool: that is read in pairs only")
    return message["content"]


def tools_in(record: Record) -> str | None:
    """What a row has that only some chat templates render: tools, or calls of them; None for neither."""
    prompt = record.prompt
    if any(message["role"] == TOOLS for message in prompt):
        return "the prompt has tools"
    if any(message["role"] == TOOL or TOOL_CALLS in message for message in prompt):
        return "the prompt has tool calls"
    return "a response calls a tool" if any(record.calls) else None


def role_name(message: dict[str, Any]) -> str | None:
    """The role of a message in lower case, or None."""
    role = message.get("role")
    role = message.get("from") if role is None else role
    return role.strip().lower() if isinstance(role, str) and role.strip() else None


def holds_something(value: object) -> bool:
    """Whether a field is used: Arrow fills fields that a row or a message lacks with nulls."""
    if isinstance(value, dict):
        return any(holds_something(inner) for inner in value.values())
    if isinstance(value, list):
        return any(holds_something(inner) for inner in value)
    return value is not None and value != ""


def text_of(content: object) -> str:
    """The text of a message's content: a string, or a list of text parts, which are joined.

    Raises:
        RowError: there is no content, or it is not only text.
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
    text = part.get("text") if isinstance(part, dict) and part.get("type") in TEXT_PARTS else None
    if not isinstance(text, str):
        raise RowError("a message has a part that is not text")
    return text


def asked(prompt: Sequence[Message]) -> None:
    """Refuse a prompt that ends with an empty message: nothing was asked, or the question was lost.

    Raises:
        RowError: it does.
    """
    if prompt and not prompt[-1]["content"].strip():
        raise RowError("the prompt is empty")
