"""Messages and their Arrow types, as most trainers want them: the role first, then the content."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from curate.exporters.registry import Pair
from curate.schema import TOOL_CALLS, Message

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
MESSAGES = pa.list_(MESSAGE)
OPEN_MESSAGES = pa.list_(pa.json_())
"""Messages with any fields, each stored as JSON: the arguments of a call differ from tool to tool, and a struct would
fill those of the others with nulls."""


def message(one: Message) -> dict[str, Any]:
    """A message with its role, its content, and its calls of tools as chat templates read them."""
    more = {key: json.loads(text) if key == TOOL_CALLS else text for key, text in one.items()}
    return {"role": one["role"], "content": one["content"], **more}


def answers(pair: Pair) -> tuple[dict[str, Any], dict[str, Any]]:
    """The chosen and the rejected response as the assistant's messages."""
    chosen, rejected = pair.answers
    return message(chosen), message(rejected)


def context(pair: Pair) -> list[dict[str, Any]]:
    """The messages before the response."""
    return [message(one) for one in pair.prompt]


def wholes(pair: Pair) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The whole conversations that end with the chosen and with the rejected response."""
    chosen, rejected = answers(pair)
    return [*context(pair), chosen], [*context(pair), rejected]


def stored(value: Any, kind: pa.DataType) -> Any:
    """A value as its Arrow type stores it: what is JSON there as its text."""
    if isinstance(kind, pa.JsonType):
        return json.dumps(value, ensure_ascii=False)
    return [stored(one, kind.value_type) for one in value] if pa.types.is_list(kind) and value is not None else value


def storage(schema: pa.Schema) -> pa.Schema:
    """The schema with texts where it has JSON."""
    return pa.schema([pa.field(field.name, _storage(field.type)) for field in schema])


def _storage(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.JsonType):
        return pa.string()
    return pa.list_(pa.string()) if kind == OPEN_MESSAGES else kind
