"""A list of responses, and the positions of chosen and rejected in it, or of the better of two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeGuard

from curate.errors import RowError
from curate.readers.contract import Layout, Row
from curate.readers.parts.column_names import (
    BOTH_POSITIONS,
    POSITIONS,
    RESPONSES,
    REWARDS,
    SIMPO_RESPONSES,
    SIMPO_REWARDS,
    folded,
)
from curate.readers.parts.messages import decoded
from curate.readers.parts.response_lists import Columns, parse_candidates
from curate.readers.parts.scores import number
from curate.readers.parts.sides import both_sides
from curate.readers.parts.structs import reward_in
from curate.schema import Record

COLUMNS = Columns((*RESPONSES, SIMPO_RESPONSES), (*REWARDS, SIMPO_REWARDS), with_measurements=False)
ONE = (*POSITIONS, "preference", "preferred", "winner", "choice")
FLAGS = (
    *(f"{word}" for word in ("chosen", "selected", "preferred", "best", "winner", "preference")),
    *(f"is_{word}" for word in ("chosen", "selected", "preferred", "best", "winner")),
)
SIDES = ("chosen", "rejected")
TWO = 2


class _Without(Mapping[str, Any]):
    """A row without some of its columns; values are looked up on demand, so that others count as not read."""

    __slots__ = ("_hidden", "_row")

    def __init__(self, row: Row, hidden: Sequence[str]) -> None:
        self._row, self._hidden = row, frozenset(hidden)

    def __getitem__(self, name: str) -> Any:
        if name in self._hidden:
            raise KeyError(name)
        return self._row[name]

    def __contains__(self, name: object) -> bool:
        return name in self._row and name not in self._hidden

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._row if name not in self._hidden)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _listed(row: Row) -> list[Any] | None:
    name = COLUMNS.has_responses(row)
    value = None if name is None else decoded(row[name])
    return value if isinstance(value, list) and value else None


def _is_scored(row: Row) -> bool:
    if any(row.get(name) is not None for name in COLUMNS.rewards):
        return True
    return any(isinstance(one, Mapping) and reward_in(one) is not None for one in _listed(row) or ())


def _columns(row: Row) -> tuple[str, ...] | None:
    """The columns of the positions: both sides', or the better response's of two; None if there are none."""
    own = {folded(name): name for name in reversed(list(row))}
    # plain numbers without scores may be anything
    scored = _is_scored(row)
    known = (*BOTH_POSITIONS, SIDES) if scored else BOTH_POSITIONS
    both = next((pair for pair in known if all(name in own for name in pair)), None)
    if both is not None:
        return own[both[0]], own[both[1]]
    one = next((own[name] for name in (*ONE, *(SIDES[:1] if scored else ())) if name in own), None)
    return None if one is None or len(_listed(row) or ()) != TWO else (one,)


def _position(value: object, listed: Sequence[Any]) -> int | None:
    """A position as the row gives it: a whole number that is not itself one of the responses."""
    found = None if value in listed else number(value)
    return int(found) if found is not None and found.is_integer() else None


def _flagged(row: Row, listed: Sequence[Any]) -> int | None:
    """Which of two responses without scores is flagged as the better one, in its struct or in a list next to it."""
    if len(listed) != TWO:
        return None
    structs = [one for one in listed if isinstance(one, Mapping)]
    if len(structs) == TWO:
        if any(reward_in(one) is not None for one in structs):
            return None
        flags: list[object] = [[one.get(name) for one in structs] for name in FLAGS]
    else:
        flags = [decoded(row[name]) for name in row if folded(name) in FLAGS]
    return next((found.index(True) for found in flags if _is_one_of_two(found)), None)


def _is_one_of_two(flags: object) -> TypeGuard[list[bool]]:
    return isinstance(flags, list) and len(flags) == TWO and all(flag in (0, 1) for flag in flags) and sum(flags) == 1


def _positions(row: Row) -> tuple[list[int], int] | None:
    """The positions that a row gives, from 0 or from 1, and how many responses it has."""
    listed = _listed(row)
    sides = both_sides(row)
    if listed is None or (sides is not None and None in (_position(side, listed) for side in sides)):
        return None
    if (flagged := _flagged(row, listed)) is not None:
        return [flagged, 1 - flagged], TWO
    columns = _columns(row)
    if columns is None:
        return None
    found = [_position(row[name], listed) for name in columns]
    return None if None in found else ([place for place in found if place is not None], len(listed))


def first_of(sample: Sequence[Row]) -> int | None:
    """Whether the positions in these rows count from 0 or from 1; None if there are few or that is not clear."""
    with_list = [row for row in sample if _listed(row) is not None]
    found = [positions for row in with_list if (positions := _positions(row)) is not None]
    if not found or 2 * len(found) < len(with_list):
        return None
    from_zero = any(0 in places for places, _ in found)
    from_one = any(count in places for places, count in found)
    return None if from_zero == from_one else int(from_one)


def _matches(sample: Sequence[Row], *, first: int) -> bool:
    return first_of(sample) == first


def _named(row: Row, listed: Sequence[Any], columns: Sequence[str], first: int) -> tuple[int, int]:
    """The positions from 0 of chosen and rejected.

    Raises:
        RowError: there are none, one is outside the list, or both are the same.
    """
    if not columns:
        raise RowError("no column says which response is better")
    places = []
    for name in columns:
        place = _position(row[name], listed)
        if place is None or not 0 <= place - first < len(listed):
            raise RowError(f"{name} is {str(row[name])[:40]!r}, not the position of one of {len(listed)} responses")
        places.append(place - first)
    chosen, rejected = places if len(places) == TWO else (places[0], 1 - places[0])
    if chosen == rejected:
        raise RowError(f"{' and '.join(columns)} name the same response")
    return chosen, rejected


def _parse(row: Row, *, first: int) -> Record:
    listed = _listed(row)
    if listed is None:
        raise RowError("there is no list of responses")
    columns = _columns(row) or ()
    flagged = _flagged(row, listed)
    chosen, rejected = _named(row, listed, columns, first) if flagged is None else (flagged, 1 - flagged)
    every = parse_candidates(_Without(row, (*columns, *SIDES)), COLUMNS)
    measured = {name: (values[chosen], values[rejected]) for name, values in every.measured.items()}
    return Record(every.prompt, (every.responses[chosen], every.responses[rejected]), (0, 1), measured)


LAYOUTS = tuple(
    Layout(
        name,
        f"prompt + responses|generations|... + chosen_index, rejected_index, counted from {first}",
        5,
        "pairs",
        partial(_matches, first=first),
        partial(_parse, first=first),
    )
    for first, name in enumerate(("indexed", "indexed_from_1"))
)
