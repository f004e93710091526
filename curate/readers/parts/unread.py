"""Columns that shape what a model reads, but do not fit into a conversation of texts; tools become a message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from curate.errors import RowError
from curate.readers.parts.column_names import UNREAD, UNREAD_NAMES
from curate.readers.parts.messages import decoded, holds_something, kind_of, without_nulls
from curate.schema import TOOLS, Message

TOOL_COLUMNS = UNREAD["tools"]
NOTHING = ("", "[]", "{}", "null", "none")


def offered_tools(row: Mapping[str, Any]) -> list[Message]:
    """The message of the tools that a row offers, none if it offers none.

    Raises:
        RowError: they are no list of tools; or another column shapes what the model reads, and cannot be read.
    """
    refuse_unread(row)
    name = next((name for name in TOOL_COLUMNS if name in row and _is_used(row[name])), None)
    if name is None:
        return []
    tools = decoded(row[name])
    if isinstance(tools, list):
        tools = [decoded(tool) for tool in tools]
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise RowError(f"the column {name} holds tools, and is {kind_of(tools)}, not a list of them")
    # text is as its author wrote it; Arrow fills structs
    said = tools if isinstance(row[name], str) else without_nulls(tools)
    return [{"role": TOOLS, "content": json.dumps(said, ensure_ascii=False)}]


def refuse_unread(row: Mapping[str, Any]) -> None:
    """Refuse a row with documents, images or the beginning of a response.

    Raises:
        RowError: names the column.
    """
    for name in row:
        if name in UNREAD_NAMES and name not in TOOL_COLUMNS and _is_used(row[name]):
            raise RowError(f"the column {name} holds {UNREAD_NAMES[name]}, which cannot be read into the prompt yet")


def _is_used(value: object) -> bool:
    if isinstance(value, bool | int | float):
        return False
    if isinstance(value, str):
        return value.strip().lower() not in NOTHING
    return holds_something(value)
