"""One JSON object that holds a whole table: rows under a key, or columns as written by pandas."""

from __future__ import annotations

from typing import Any

from curate.errors import InputError
from curate.readers.parts.column_names import CHOSEN, KNOWN, PROMPTS, folded

ROWS = ("data", "rows", "examples", "instances", "records", "items", "samples", "pairs", "dataset")
SPLITS = ("train", "validation", "test", "eval", "dev")


def rows_within(whole: object) -> list[Any] | None:
    """The rows inside an object; None if the object is itself a row.

    Raises:
        InputError: it contains several lists of rows.
    """
    if not isinstance(whole, dict):
        return None
    lists = [key for key in (*ROWS, *SPLITS) if _is_rows(whole.get(key))]
    if len(lists) > 1:
        raise InputError(
            f"The file holds several lists of rows: {', '.join(lists)}.", hint="Save the one to read in its own file."
        )
    if lists:
        return list(whole[lists[0]])
    return _split(whole) or _by_column(whole) or _by_key(whole)


def _split(whole: dict[str, Any]) -> list[Any] | None:
    """The rows of pandas' `orient="split"`: names, and a list of values for each row."""
    names, values = whole.get("columns"), whole.get("data")
    if not whole.keys() <= {"columns", "data", "index"} or not isinstance(names, list) or not isinstance(values, list):
        return None
    if not all(isinstance(row, list) and len(row) == len(names) for row in values):
        return None
    return [dict(zip(names, row, strict=True)) for row in values]


def _is_rows(value: object) -> bool:
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        return False
    return not any("role" in row or "from" in row for row in value)


def _by_column(whole: dict[str, Any]) -> list[Any] | None:
    """The rows of an object whose values are columns: lists, or mappings from row numbers, all of equal length.

    Rows have lists too: only if a prompt or a chosen response is a list of texts, or of lists, is it a column.
    """
    if not whole or not all(isinstance(column, list | dict) and column for column in whole.values()):
        return None
    numbered = all(isinstance(column, dict) and all(key.isdigit() for key in column) for column in whole.values())
    if numbered:
        # columns may list the same numbers in different orders
        keys = next(iter(whole.values())).keys()
        if any(column.keys() != keys for column in whole.values()):
            raise InputError("The columns of the file do not have the same rows.", hint="Write it again, row by row.")
    columns = {name: [c[key] for key in keys] if numbered else c for name, c in whole.items()}
    if not all(isinstance(column, list) for column in columns.values()) or len({len(c) for c in columns.values()}) > 1:
        return None
    if not numbered and not any(_is_column(columns.get(name)) for name in (*PROMPTS, *CHOSEN)):
        return None
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _is_column(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str | list) for one in value)


def _by_key(whole: dict[str, Any]) -> list[Any] | None:
    """The rows of an object keyed by row numbers or ids: all must have the same columns, including a prompt."""
    rows = list(whole.values())
    if not rows or not all(isinstance(row, dict) for row in rows):
        return None
    if all(key.isdigit() for key in whole):
        return rows
    alike = len(rows) > 1 and all(row.keys() == rows[0].keys() for row in rows)
    named = alike and not rows[0].keys().isdisjoint((*PROMPTS, *CHOSEN))
    return rows if named and not any(folded(key) in KNOWN for key in whole) else None
