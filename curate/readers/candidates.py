"""Rows with a list of responses to one prompt, and lists of numbers beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Row
from curate.readers.messages import decoded, message_list, normalise
from curate.readers.scores import Measured, number, value_of
from curate.readers.sides import both_sides, parse_pair, read_prompt, with_system
from curate.schema import FINISH_REASON, MODEL, RESPONSE_FIELDS, REWARD, Message, Record, Type, named_reward

NAMED_REWARDS = named_reward("").candidates
LIST_COLUMNS: tuple[tuple[str, str, Type], ...] = (
    *((field.candidates, field.name, field.type) for field in RESPONSE_FIELDS if field is not REWARD),
    ("finish_reasons", FINISH_REASON, "string"),
    ("models", MODEL, "string"),
    ("generation_models", MODEL, "string"),
)


@dataclass(frozen=True)
class Columns:
    """Names under which a family of data sets keeps responses and their rewards, the preferred ones first."""

    responses: tuple[str, ...]
    rewards: tuple[str, ...]
    with_measurements: bool = True

    def has_responses(self, row: Row) -> str | None:
        """The first column with a list of responses, or None."""
        return next((name for name in self.responses if isinstance(decoded(row.get(name)), list)), None)


def parse_candidates(row: Row, columns: Columns) -> Record:
    """The responses of a row, what was measured of each, and its pair where it names one.

    Raises:
        RowError: the row is bad; the message says why.
    """
    name = columns.has_responses(row)
    if name is None:
        raise RowError("there is no list of responses")
    context, texts = _responses(decoded(row[name]))
    measured = _measured(row, columns, len(texts))
    if both_sides(row) is not None:
        return _with_pair(parse_pair(row), texts, measured)
    return Record(with_system(row, _prompt(row, context)), tuple(texts), None, measured)


def _responses(values: object) -> tuple[tuple[Message, ...], list[str]]:
    """The texts of all responses, and the context that stands in front of each."""
    if not isinstance(values, list) or not values:
        raise RowError("the list of responses is empty")
    as_messages = all(message_list(value) is not None for value in values)
    sides = [_response(value, as_messages) for value in values]
    if any(side[-1]["role"] != "assistant" for side in sides):
        raise RowError("a response does not end with the assistant")
    context = sides[0][:-1]
    if any(side[:-1] != context for side in sides):
        raise RowError("the responses do not share the same context")
    return tuple(context), [side[-1]["content"] for side in sides]


def _response(value: object, as_messages: bool) -> list[Message]:
    if value is None:
        raise RowError("a response is missing")
    if isinstance(value, str) and not as_messages:
        return [{"role": "assistant", "content": value}]
    return normalise([value] if isinstance(value, Mapping) else value)


def _prompt(row: Row, context: tuple[Message, ...]) -> tuple[Message, ...]:
    """The prompt of the row and the context of its responses, put together."""
    if context and context[0]["role"] != "assistant":
        return context
    prompt = read_prompt(row)
    if prompt is None:
        raise RowError("there is no prompt before the response")
    return prompt.messages + context


def _measured(row: Row, columns: Columns, count: int) -> Measured:
    found: Measured = {}
    rewards = next((name for name in columns.rewards if row.get(name) is not None), None)
    rewards = rewards or next((name for name in columns.rewards if name in row), None)
    if rewards is not None:
        found[REWARD.name] = tuple(number(value) for value in _list(row, rewards, count))
    if not columns.with_measurements:
        return found
    for column, name, kind in LIST_COLUMNS:
        if column in row and (name != MODEL or MODEL not in found):
            found[name] = tuple(value_of(kind, value) for value in _list(row, column, count))
    for column in row:
        name = column.removeprefix(NAMED_REWARDS)
        if name and name != column:
            found[named_reward(name).name] = tuple(number(value) for value in _list(row, column, count))
    return found


def _list(row: Row, column: str, count: int) -> list[Any]:
    values = decoded(row[column])
    if values is None:
        return [None] * count
    if not isinstance(values, list):
        raise RowError(f"{column[:60]} is not a list")
    if len(values) != count:
        raise RowError(f"{column[:60]} is not as long as the list of responses")
    return values


def _with_pair(pair: Record, texts: Sequence[str], measured: Measured) -> Record:
    """The candidates with the pair's places among them; a text of the pair that is not among them is added."""
    listed, places = list(texts), []
    for text in pair.responses:
        # of equal texts the second side takes the second one, where there is one
        found = [place for place, other in enumerate(listed) if other == text]
        free = [place for place in found if place not in places]
        if not found:
            listed.append(text)
            free = [len(listed) - 1]
        places.append((free or found)[0])
    added = (None,) * (len(listed) - len(texts))
    return replace(
        pair,
        responses=tuple(listed),
        pair=(places[0], places[1]),
        measured={name: values + added for name, values in measured.items()},
    )
