"""A table's spelling of what layouts read: capitals in column names, JSON text in cells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Row
from curate.readers.parts.column_names import ANSWERS, KNOWN, ONE_ANSWER, ONE_SCORE, SIDES, SIMPO_RESPONSES, folded
from curate.readers.parts.messages import decoded, message_list
from curate.readers.parts.sides import both_sides, in_messages
from curate.readers.parts.transcripts import parse_spoken
from curate.readers.table_forms import are_spoken, sides_in_words, turned, turned_columns

SPELLED = KNOWN | {*ONE_ANSWER, *ONE_SCORE}
OF_SIDES = frozenset(name for chosen, others in SIDES for name in (chosen, *others))
LISTS = (SIMPO_RESPONSES, *ANSWERS)
# the judge's own instruction, with both responses in it, is in the columns without the prefix
ORIGINAL = "orig_"
PROMETHEUS = ("orig_instruction", "orig_response_A", "orig_response_B")
BROKEN = re.compile(r"\s*\[?\s*\{\s*[\"'](?:role|content|from|value)[\"']")


@dataclass(frozen=True)
class Spelling:
    """What must be done to a table's rows before a layout reads them.

    Attributes:
        names: maps the layouts' column names to the table's.
        messages: columns whose texts are all the JSON of messages.
        lists: columns of lists whose texts are all the JSON of messages.
        turned: columns whose messages or responses are structs of lists.
        spoken: whether both sides are transcripts of `User:` and `Assistant:` lines.
        inside: the column whose structs contain the rows, or None.
        prefix: the prefix of the columns that are read, without it, in place of all others; empty if there is none.
    """

    names: Mapping[str, str]
    messages: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    turned: frozenset[str] = frozenset()
    spoken: bool = False
    inside: str | None = None
    prefix: str = ""

    def changes(self) -> bool:
        """Whether there is anything to do."""
        forms = self.messages or self.lists or self.turned or self.spoken
        return bool(self.names or forms or self.inside or self.prefix)

    def row(self, row: Row) -> Row:
        """A row as layouts read it."""
        return _Spelled(row, self)


class _Spelled(Mapping[str, Any]):
    """A row seen through a spelling; values are looked up, and decoded, on demand."""

    __slots__ = ("_own", "_row", "_spelling")

    def __init__(self, row: Row, spelling: Spelling) -> None:
        if spelling.inside is not None:
            inner = decoded(row.get(spelling.inside))
            if not isinstance(inner, dict):
                raise RowError(f"the column {spelling.inside} holds no struct")
            # what a row says outside the struct, such as its system text, applies inside too
            outside = {name: row[name] for name in row if folded(name) in KNOWN and name != spelling.inside}
            row = outside | inner
        if prefix := spelling.prefix:
            row = {name[len(prefix) :]: row[name] for name in row if name.startswith(prefix)}
        self._row, self._spelling = row, spelling
        self._own = {known: own for known, own in spelling.names.items() if own in row and known not in row}

    def __getitem__(self, name: str) -> Any:
        value = self._row[self._own.get(name, name)]
        if name in self._spelling.turned:
            value = turned(value)
        if self._spelling.spoken and name in OF_SIDES and isinstance(value, str):
            return parse_spoken(value)
        if name in self._spelling.messages and isinstance(value, str):
            return _opened(value, name)
        if name in self._spelling.lists and isinstance(listed := decoded(value), list):
            return [_opened(one, name) if isinstance(one, str) else one for one in listed]
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._row

    def __iter__(self) -> Iterator[str]:
        known = {own: name for name, own in self._own.items()}
        return (known.get(name, name) for name in self._row)

    def __len__(self) -> int:
        return len(self._row)


def _opened(text: str, name: str) -> Any:
    inner = decoded(text)
    if in_messages(inner):
        return inner
    if BROKEN.match(text):
        raise RowError(f"{name} is neither text nor valid JSON of messages, which the first rows hold")
    return text


def spelling_of(sample: Sequence[Row]) -> Spelling:
    """How a table with these first rows spells its columns."""
    columns = dict.fromkeys(name for row in sample for name in row)
    prefix = ORIGINAL if set(PROMETHEUS) <= set(columns) else ""
    columns = dict.fromkeys(name.removeprefix(prefix) for name in columns if name.startswith(prefix))
    names = {folded(name): name for name in columns if name not in SPELLED and folded(name) in SPELLED}
    rows: Sequence[Row] = [Spelling(names, prefix=prefix).row(row) for row in sample] if names or prefix else sample
    if words := sides_in_words(rows):
        names |= {known: names.get(own, own) for known, own in words.items()}
        rows = [Spelling(names, prefix=prefix).row(row) for row in sample]
    forms = _json_sides(rows), _json_lists(rows), turned_columns(rows), are_spoken(rows)
    return Spelling(names, *forms, prefix=prefix)


def _json_sides(rows: Sequence[Row]) -> frozenset[str]:
    """The columns of both sides, if in most rows both are the JSON of messages."""
    texts = [sides for row in rows if (sides := both_sides(row)) and all(isinstance(side, str) for side in sides)]
    found = sum(all(in_messages(decoded(side)) for side in sides) for sides in texts)
    if not found or 2 * found < len(texts):
        return frozenset()
    return OF_SIDES


def _json_lists(rows: Sequence[Row]) -> frozenset[str]:
    """The list columns whose texts are the JSON of messages in most rows."""
    return frozenset(name for name in LISTS if _mostly_json([decoded(row.get(name)) for row in rows]))


def _mostly_json(values: Sequence[Any]) -> bool:
    lists = [value for value in values if isinstance(value, list) and value and all(isinstance(v, str) for v in value)]
    found = sum(all(message_list(decoded(text)) is not None for text in value) for value in lists)
    return bool(found) and 2 * found >= len(lists)


def struct_columns(sample: Sequence[Row]) -> list[str]:
    """The columns with a struct in every row, which may contain the rows."""
    columns = dict.fromkeys(name for row in sample for name in row)
    return [name for name in columns if all(isinstance(decoded(row.get(name)), dict) for row in sample)]
