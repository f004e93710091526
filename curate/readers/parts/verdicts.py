"""Which of two responses a row says is better."""

from __future__ import annotations

from collections.abc import Sequence

from curate.errors import RowError
from curate.readers.contract import Row, Tie
from curate.readers.parts.column_names import SIGNED, VERDICTS, folded
from curate.readers.parts.messages import kind_of
from curate.readers.parts.scores import number
from curate.readers.parts.sides import both_sides
from curate.readers.parts.slots import Slots, place_of, slots_of

SHP = "human_ref"
WORDS = ("winner", "preference", "preferred", "better_response", "better_response_id", "choice", "verdict")
STRONGEST = 10
"""Known scales end at 3 or 5; -100 and the like mark rows without a judgement."""


def verdict_of(row: Row, slots: Slots) -> int | None:
    """The position of the better of two responses; None if the row has no verdict.

    Raises:
        Tie: neither is better.
        RowError: the row's verdict cannot be understood.
    """
    sides = both_sides(row)
    if sides is not None:
        places = [place_of(side, slots, row) for side in sides]
        return places[0] if sorted(p for p in places if p is not None) == [0, 1] else None
    found = _one_hot(row, slots)
    if found is None:
        found = _signed(row, slots)
    if found is None:
        found = _named(row, slots)
    if found is None:
        return _by_score(row, slots)
    _check_words(row, slots, found)
    return found


def _check_words(row: Row, slots: Slots, found: int) -> None:
    """Refuse a row in which one of the other columns names the other response, as a word.

    Raises:
        RowError: names the column.
    """
    for name in WORDS:
        if isinstance(row.get(name), str):
            try:
                place = place_of(row[name], slots, row)
            except (Tie, RowError):
                continue
            if place is not None and place != found:
                raise RowError(f"{name} names another response than the row's other verdict")


def _one_hot(row: Row, slots: Slots) -> int | None:
    names = [f"winner_model_{label}" for label in slots.labels], [f"winner_{label}" for label in slots.labels]
    columns = next((pair for pair in names if all(name in row for name in pair)), None)
    if columns is None:
        return None
    won = [_holds(row[name]) for name in columns]
    if any(won) and any(_holds(row.get(name)) for name in ("winner_tie", "winner_model_tie")):
        raise RowError(f"{columns[won.index(True)]} says that a response won, and another column that it is a tie")
    if all(one is None for one in won):
        raise RowError(f"{' and '.join(columns)} say nothing")
    if not any(won):
        raise Tie("neither response is better: a tie")
    if all(won):
        raise RowError(f"{' and '.join(columns)} both say that their response won")
    return won.index(True)


def _holds(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    found = number(value)
    return None if found is None else found > 0


def _signed(row: Row, slots: Slots) -> int | None:
    name = next((name for name in SIGNED if name in row), None)
    if name is None or slots.labels != ("1", "2"):
        return None
    strength = number(row[name])
    if strength is None:
        raise RowError(f"{name} is {kind_of(row[name])}, not a number")
    if abs(strength) > STRONGEST:
        raise RowError(f"{name} is {strength:g}, which is not a strength of a preference")
    if strength == 0:
        raise Tie("neither response is better: a tie")
    return 0 if strength < 0 else 1


def verdict_column(row: Row) -> str | None:
    """The column that says, as a word or a number, which response is better; None if there is none."""
    return next((name for name in VERDICTS if name in row), None)


def _named(row: Row, slots: Slots) -> int | None:
    name = verdict_column(row)
    if name is None:
        return None
    value = row[name]
    if value is None:
        raise RowError(f"{name} is null: there is no verdict")
    if name == "labels" and folded(slots.columns[0]).startswith(SHP) and (first := number(value)) in (0, 1):
        return 1 - int(first or 0)
    if isinstance(value, bool):
        raise RowError(f"{name} is {kind_of(value)}, which does not say which response is better")
    place = place_of(value, slots, row)
    if place is None:
        raise RowError(f"{name} is {str(value)[:40]!r}, which names none of the responses")
    return place


def _by_score(row: Row, slots: Slots) -> int | None:
    if not slots.scores:
        return None
    scores = [number(row[name]) for name in slots.scores]
    first, second = scores[0], scores[1]
    if first is None or second is None:
        raise RowError(f"a score is missing in {' or '.join(slots.scores)}")
    if first == second:
        raise Tie("neither response is better: both have the same score")
    return int((first > second) == slots.ranked)


def numbered_alike(sample: Sequence[Row]) -> bool:
    """Whether every number that names a response matches a response column's number, in all rows."""
    for row in sample:
        slots, name = slots_of(row), verdict_column(row)
        value = number(row[name]) if name else None
        if slots is None or value is None or slots.labels[0] == "a" or both_sides(row) is not None:
            continue
        if str(int(value)) not in slots.labels or not value.is_integer():
            return False
    return True
