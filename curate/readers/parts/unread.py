"""Columns that shape what a model reads, but do not fit into a conversation of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.errors import RowError
from curate.readers.parts.column_names import UNREAD_NAMES
from curate.readers.parts.messages import holds_something

NOTHING = ("", "[]", "{}", "null", "none")


def refuse_unread(row: Mapping[str, Any]) -> None:
    """Refuse a row with tools, images or the beginning of a response.

    Raises:
        RowError: names the column.
    """
    for name in row:
        if name in UNREAD_NAMES and _is_used(row[name]):
            raise RowError(f"the column {name} holds {UNREAD_NAMES[name]}, which cannot be read into the prompt yet")


def _is_used(value: object) -> bool:
    if isinstance(value, bool | int | float):
        return False
    if isinstance(value, str):
        return value.strip().lower() not in NOTHING
    return holds_something(value)
