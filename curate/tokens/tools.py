"""Tools in conversations: how messages carry them, and whether a chat template renders them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

from jinja2 import TemplateError

from curate.schema import TOOL_CALLS, TOOLS, Message

NAME, SAID = "zyxlookup", "zyxresult"
TOOL = {
    "type": "function",
    "function": {
        "name": NAME,
        "description": "Look a word up.",
        "parameters": {"type": "object", "properties": {"word": {"type": "string", "description": "The word."}}},
    },
}
CALL_ID = "zyx000001"
CALL = {"id": CALL_ID, "type": "function", "function": {"name": NAME, "arguments": {"word": "sky"}}}
OFFERED = [{"role": TOOLS, "content": json.dumps([TOOL])}, {"role": "user", "content": "Look it up."}]
CALLED = [
    {"role": "user", "content": "Look it up."},
    {"role": "assistant", "content": "", TOOL_CALLS: json.dumps([CALL])},
    {"role": "tool", "content": SAID, "name": NAME, "tool_call_id": CALL_ID},
]


class Templated(Protocol):
    """A tokenizer with a chat template."""

    def template(self, messages: Sequence[Message], generation_prompt: bool) -> str:
        """The messages as the model's text."""


def separated(messages: Sequence[Message]) -> tuple[list[dict[str, Any]], list[Any] | None]:
    """Messages as chat templates read them, and the tools that the conversation offers, if any."""
    turns: list[dict[str, Any]] = []
    tools = None
    for message in messages:
        if message["role"] == TOOLS:
            tools = json.loads(message["content"])
        elif TOOL_CALLS in message:
            turns.append({**message, TOOL_CALLS: json.loads(message[TOOL_CALLS])})
        else:
            turns.append(dict(message))
    return turns, tools


def response_text(message: Message) -> str:
    """The text of a response: what it says, and on a line of its own behind it the tools that it calls, as JSON."""
    said, calls = message["content"], _spelled(message.get(TOOL_CALLS, ""))
    return f"{said}\n{calls}" if said and calls else said or calls


def response_message(text: str, calls: str = "") -> Message:
    """The assistant's message whose `response_text` this is.

    Args:
        text: the response.
        calls: the JSON of the tools that it calls, as a message holds it; empty for none.
    """
    if not calls:
        return {"role": "assistant", "content": text}
    said = text.removesuffix(_spelled(calls)).removesuffix("\n")
    return {"role": "assistant", "content": said, TOOL_CALLS: calls}


def _spelled(calls: str) -> str:
    """Names and arguments of the tools called, without the ids, which are random."""
    if not calls:
        return ""
    return json.dumps([one["function"] for one in json.loads(calls)], ensure_ascii=False)


def takes_tools(tokenizer: Templated) -> bool:
    """Whether the chat template writes out the tools offered, the calls of the assistant and their results."""
    called = _text(tokenizer, CALLED)
    return NAME in _text(tokenizer, OFFERED) and NAME in called and SAID in called


def _text(tokenizer: Templated, messages: Sequence[Message]) -> str:
    try:
        return tokenizer.template(messages, True)
    except (TemplateError, ValueError, TypeError, KeyError):
        return ""
