"""Rows with several chosen or rejected responses, such as RewardBench 2's: spread into one row for each pair."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import pyarrow as pa

from curate.errors import RowError
from curate.readers.contract import Chunk, Reject, Row, Source
from curate.readers.files.source import JoinedSource
from curate.readers.parts.column_names import CONVERSATIONS, SIDES, folded
from curate.readers.parts.messages import kind_of, message_list
from curate.readers.parts.structs import is_struct

NOTE = (
    "a row has several chosen or rejected responses: each chosen response makes a pair with each rejected one, "
    "with a row for each pair."
)


def spread(source: JoinedSource) -> JoinedSource:
    """The source with one pair in every row, if its first rows have several chosen or rejected responses."""
    sides = _sides_of(source.head)
    if sides is None:
        return source
    parts = tuple(_Spread(part, sides) for part in source.parts)
    head: list[Row] = []
    for row in source.head:
        try:
            head += _pairs(row, sides)
        except RowError:
            head.append(row)
    return replace(source, parts=parts, head=head, notes=(NOTE,), as_stored=False)


@dataclass(frozen=True)
class _Sides:
    """The two columns of the responses, and the words by which others belong to one of them."""

    chosen: str
    rejected: str

    def side_of(self, column: str) -> int | None:
        """0 for a column about the chosen response, 1 for the rejected one, None for others."""
        words = folded(column).split("_")
        found = ("chosen" in words, "rejected" in words or "reject" in words)
        return None if found[0] == found[1] else found.index(True)


def _sides_of(sample: Sequence[Row]) -> _Sides | None:
    """The columns of chosen and rejected if in most rows one of them is a list of responses."""
    columns = {folded(name): name for row in sample for name in row}
    every = (*SIDES, *((name, ("rejected_response",)) for name in CONVERSATIONS))
    for chosen, others in every:
        for other in others:
            if chosen not in columns or other not in columns:
                continue
            sides = _Sides(columns[chosen], columns[other])
            rows = [row for row in sample if row.get(sides.chosen) and row.get(sides.rejected)]
            lists = sum(_is_list(row[sides.chosen]) or _is_list(row[sides.rejected]) for row in rows)
            if lists and 2 * lists >= len(rows):
                return sides
    return None


def _is_list(value: object) -> bool:
    """Whether a value is a list of responses: of texts, conversations or structs, and no conversation itself."""
    if not isinstance(value, list) or not value or message_list(value) is not None:
        return False
    return all(isinstance(one, str) or message_list(one) is not None or is_struct(one) for one in value)


def _pairs(row: Row, sides: _Sides) -> Iterator[Row]:
    """Each pair of a row.

    Raises:
        RowError: a side is missing or empty, or a list that belongs to a side is not as long as its responses.
    """
    both: list[Any] = [row.get(sides.chosen), row.get(sides.rejected)]
    if any(value is None or value == [] for value in both):
        raise RowError("a response of the pair is missing")
    if not any(map(_is_list, both)):
        yield row
        return
    chosen, rejected = (value if _is_list(value) else [value] for value in both)
    lists = _beside(row, sides, (len(chosen), len(rejected)))
    for places in product(range(len(chosen)), range(len(rejected))):
        picked = {name: row[name][places[side]] for name, side in lists.items()}
        yield {**row, **picked, sides.chosen: chosen[places[0]], sides.rejected: rejected[places[1]]}


def _beside(row: Row, sides: _Sides, lengths: tuple[int, int]) -> dict[str, int]:
    """The columns with a value for each response of one side, and which side.

    Raises:
        RowError: one is not as long as the list of responses.
    """
    found: dict[str, int] = {}
    for name, value in row.items():
        side = sides.side_of(name)
        if side is None or not isinstance(value, list) or name in (sides.chosen, sides.rejected):
            continue
        if len(value) != lengths[side]:
            raise RowError(f"{name} is {kind_of(value)}, and that side has {lengths[side]} responses")
        found[name] = side
    return found


@dataclass(frozen=True)
class _Spread:
    """A source whose rows are spread."""

    source: Source
    sides: _Sides

    @property
    def name(self) -> str:
        """The user's name for it."""
        return self.source.name

    def fingerprints(self) -> list[dict[str, Any]]:
        """Those of the source."""
        return self.source.fingerprints()

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """All pairs in file order, at most `rows` at a time."""
        for chunk in self.source.chunks(rows):
            yield from self._spread(chunk, rows)

    def _spread(self, chunk: Chunk, rows: int) -> Iterator[Chunk]:
        made: list[tuple[int, Row]] = []
        rejects = list(chunk.rejects)
        for place, row in enumerate(chunk.rows):
            try:
                pairs = list(_pairs(row, self.sides))
            except RowError as error:
                text = json.dumps(row, ensure_ascii=False, default=str)
                rejects.append(Reject(chunk.origins[place], str(error), text))
                continue
            made += [(place, pair) for pair in pairs]
        for first in range(0, max(len(made), 1), rows):
            yield self._chunk(chunk, made[first : first + rows], rejects if first == 0 else [])

    def _chunk(self, chunk: Chunk, made: list[tuple[int, Row]], rejects: list[Reject]) -> Chunk:
        table = chunk.table.take(pa.array([place for place, _ in made], pa.int64()))
        for number, field in enumerate(chunk.table.schema):
            of_a_side = self.sides.side_of(field.name) is not None and pa.types.is_list(field.type)
            if of_a_side or field.name in (self.sides.chosen, self.sides.rejected):
                values = _array([row.get(field.name) for _, row in made], field.type)
                table = table.set_column(number, field.name, values)
        origins = [chunk.origins[place] for place, _ in made]
        return Chunk(table, [row for _, row in made], origins, rejects)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """What was in a list, or alone next to one, as a column of its own."""
    for one in (kind.value_type, kind) if pa.types.is_list(kind) else (kind,):
        with contextlib.suppress(pa.ArrowInvalid, pa.ArrowTypeError):
            return pa.array(values, one)
    # texts in some rows and lists of texts in others, which a file stores as JSON
    return pa.array([one if one is None or isinstance(one, str) else json.dumps(one) for one in values], pa.string())
