"""Responses in structs with their score or rank: UltraFeedback, Nectar, NeMo-RL and many more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Layout, Row, Tie
from curate.readers.parts.column_names import ANSWERS
from curate.readers.parts.messages import decoded, is_message
from curate.readers.parts.response_lists import Columns, parse_candidates
from curate.readers.parts.scores import number
from curate.readers.parts.sides import both_sides, pair_of
from curate.readers.parts.structs import RANK, is_struct, told
from curate.schema import MODEL, REWARD, Record

CHOICE = "choice"
COLUMNS = Columns(ANSWERS, ("rewards", "scores", "ratings"))


def _structs(row: Row) -> list[Any] | None:
    """The responses of a row, if they are structs."""
    for name in ANSWERS:
        value = decoded(row.get(name))
        if isinstance(value, list) and value and all(is_struct(one) for one in value):
            return value
    return None


def matches(sample: Sequence[Row]) -> bool:
    """Whether a row has a list of responses that are structs."""
    return any(_structs(row) is not None for row in sample)


def parse(row: Row) -> Record:
    """The candidates of one row.

    Raises:
        RowError: the row is bad; the message says why.
    """
    return parse_candidates(row, COLUMNS)


def _names_a_pair(row: Row) -> bool:
    found = _structs(row)
    if found is None or len(found) != 2 or both_sides(row) is not None:
        return False
    if row.get(CHOICE) is not None or _preferred(found) is not None:
        return True
    return all(isinstance(one, Mapping) and one.get(RANK) is not None for one in found)


def _preferred(found: Sequence[Mapping[str, Any]]) -> list[float] | None:
    """The labels of Gemini's two messages, 1 for the preferred one; None if the scores are not labels."""
    scores = [number(one.get("score")) for one in found if is_message(one.get("completion"))]
    return [score for score in scores if score is not None] if sorted(map(str, scores)) == ["0.0", "1.0"] else None


def matches_pair(sample: Sequence[Row]) -> bool:
    """Whether most rows have two responses, one of them ranked or chosen above the other."""
    with_structs = [row for row in sample if _structs(row) is not None]
    return bool(with_structs) and 2 * sum(_names_a_pair(row) for row in with_structs) >= len(with_structs)


def parse_two(row: Row) -> Record:
    """The pair of one row: the response of the lower rank, or the one at position `choice`, counted from 0.

    Raises:
        RowError: the row is bad; the message says why.
        Tie: both have the same rank.
    """
    found = _two(row)
    better = _chosen(row, found)
    return _in_order(row, found, better)


def parse_tie(row: Row) -> Record:
    """The pair of two responses of the same rank, in their own order.

    Raises:
        RowError: the row is bad; the message says why.
    """
    return replace(_in_order(row, _two(row), 0), tie=True)


def _two(row: Row) -> list[Any]:
    found = _structs(row)
    if found is None or len(found) != 2:
        raise RowError(f"there are {len(found or ())} responses where two are expected")
    return found


def _in_order(row: Row, found: Sequence[Any], better: int) -> Record:
    first, second = (told(found[place]) for place in (better, 1 - better))
    record = pair_of(row, first.value, second.value)
    inside = {REWARD.name: (first.reward, second.reward), MODEL: (first.model, second.model)}
    known = {name: values for name, values in inside.items() if None not in values}
    return replace(record, measured=known | dict(record.measured))


def _chosen(row: Row, found: Sequence[Mapping[str, Any]]) -> int:
    choice = row.get(CHOICE)
    if choice is not None:
        if choice not in (0, 1) or isinstance(choice, bool):
            raise RowError(f"choice is {str(choice)[:40]!r}, not 0 or 1")
        return int(choice)
    if (labels := _preferred(found)) is not None:
        return labels.index(1)
    ranks = [number(one.get(RANK)) for one in found]
    if ranks[0] is None or ranks[1] is None:
        raise RowError("a response has no rank")
    if ranks[0] == ranks[1]:
        raise Tie("neither response is better: both have the same rank")
    return 0 if ranks[0] < ranks[1] else 1


LAYOUTS = (
    Layout(
        "ranked",
        "prompt|context|contents + completions: two structs of a rank, or Gemini's score, and a completion",
        22,
        "pairs",
        matches_pair,
        parse_two,
        parse_tie,
    ),
    Layout(
        "structs",
        "prompt + completions|answers|...: structs of a text and a score or rank",
        24,
        "candidates",
        matches,
        parse,
    ),
)
