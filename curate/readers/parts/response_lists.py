"""Rows with a list of responses to one prompt, and parallel lists of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Row
from curate.readers.parts.column_names import CHOSEN, RANKS, REJECTED
from curate.readers.parts.context import read_prompt, with_context
from curate.readers.parts.labels import resolved
from curate.readers.parts.markup import Template
from curate.readers.parts.messages import asked, decoded, is_message, kind_of, message_list, normalise, said_by
from curate.readers.parts.prompt_columns import written_out
from curate.readers.parts.scores import Measured, number, value_of
from curate.readers.parts.sides import both_sides, pair_of
from curate.readers.parts.structs import is_struct, reward_in, told
from curate.readers.parts.transcripts import said_after
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
    """Column names of a family of data sets for responses and their rewards, preferred ones first."""

    responses: tuple[str, ...]
    rewards: tuple[str, ...]
    with_measurements: bool = True

    def has_responses(self, row: Row) -> str | None:
        """The first column with responses in a list, or in a mapping from the models that wrote them; or None."""
        return next((name for name in self.responses if _listed(row.get(name)) is not None), None)


def _listed(value: object) -> list[Any] | dict[str, Any] | None:
    inner = decoded(value)
    if isinstance(inner, list):
        return inner
    if not isinstance(inner, dict) or not inner or is_message(inner) or is_struct(inner):
        return None
    if not inner.keys().isdisjoint((*CHOSEN, *REJECTED)):
        return None
    values = [value for value in inner.values() if value is not None]
    alike = all(isinstance(value, str) for value in values) or (len(values) > 1 and all(map(is_struct, values)))
    return inner if alike else None


def parse_candidates(row: Row, columns: Columns) -> Record:
    """The responses of a row, their measurements, and its pair if it names one.

    Raises:
        RowError: the row is bad; the message says why.
    """
    name = columns.has_responses(row)
    if name is None:
        raise RowError("there is no list of responses")
    values, models = _by_model(_listed(row[name]))
    if not values:
        raise RowError("the list of responses is empty")
    inside: Measured = {} if models is None else {MODEL: tuple(models)}
    if all(is_struct(value) for value in values):
        structs = [told(value) for value in values]
        values = [one.value for one in structs]
        inside = {REWARD.name: tuple(one.reward for one in structs)} | (
            {MODEL: tuple(one.model for one in structs)} if models is None else inside
        )
    elif all(is_message(value) for value in values):
        inside |= {REWARD.name: tuple(reward_in(value) for value in values)}
    sides = [response_of(value, name) for value in values]
    measured = _measured(row, columns, len(sides), models)
    for field, told_inside in inside.items():
        if field not in measured and any(one is not None for one in told_inside):
            measured[field] = told_inside
    return record_of(row, sides, measured)


def record_of(row: Row, sides: Sequence[list[Message]], measured: Measured) -> Record:
    """The record of a row's responses, each with the messages before it, and of the pair that the row names.

    Raises:
        RowError: they do not share one prompt, or it is empty.
    """
    context, texts = _shared(sides)
    pair = both_sides(row)
    if pair is not None:
        return _with_pair(pair_of(row, *resolved(row, *pair)), _said(texts, written_out(row)), measured)
    if context and context[0]["role"] != "assistant":
        asked(context)
        return Record(with_context(row, context, texts), tuple(texts), None, measured)
    prompt = read_prompt(row, texts)
    if prompt is None:
        raise RowError("there is no prompt before the response")
    asked(prompt.messages)
    return Record(prompt.messages + context, tuple(_said(texts, prompt.written_out)), None, measured)


def _said(texts: list[str], how: Template | str | None) -> list[str]:
    return texts if how is None else [said_after(text, how) for text in texts]


def _by_model(values: list[Any] | dict[str, Any] | None) -> tuple[list[Any], list[str] | None]:
    """Responses in a list, and the models' names if they came in a mapping, which Arrow fills with nulls."""
    if not isinstance(values, dict):
        return values or [], None
    models = [model for model, text in values.items() if text is not None]
    return [values[model] for model in models], models


def _shared(sides: Sequence[list[Message]]) -> tuple[tuple[Message, ...], list[str]]:
    """The context before every response, and the texts of all responses."""
    if not sides:
        raise RowError("there are no responses")
    if any(side[-1]["role"] != "assistant" for side in sides):
        raise RowError("a response does not end with the assistant")
    context = sides[0][:-1]
    if any(side[:-1] != context for side in sides):
        raise RowError("the responses do not share the same context")
    return tuple(context), [said_by(side[-1]) for side in sides]


def response_of(value: object, name: str) -> list[Message]:
    """One response as messages, including those before it.

    Raises:
        RowError: missing, or neither text nor messages.
    """
    if value is None:
        raise RowError("a response is missing")
    if isinstance(value, str):
        return [{"role": "assistant", "content": value}]
    if is_message(value):
        return normalise([value], name)
    if message_list(value) is not None:
        return normalise(value, name)
    raise RowError(f"a response in {name} is {kind_of(value)} where text or messages are expected")


def _measured(row: Row, columns: Columns, count: int, models: list[str] | None) -> Measured:
    found: Measured = {}
    rewards = next((name for name in columns.rewards if row.get(name) is not None), None)
    rewards = rewards or next((name for name in columns.rewards if name in row), None)
    if rewards is not None:
        found[REWARD.name] = tuple(number(value) for value in _list(row, rewards, count, models))
    if not columns.with_measurements:
        return found
    for column, name, kind in LIST_COLUMNS:
        if column in row and (name != MODEL or _names_models(row[column], count, found)):
            found[name] = tuple(value_of(kind, value) for value in _list(row, column, count))
    named = []
    for column in row:
        name = column.removeprefix(NAMED_REWARDS)
        if name and name != column:
            named.append(named_reward(name).name)
            found[named[-1]] = tuple(number(value) for value in _list(row, column, count))
    if REWARD.name not in found:
        alone = found[named[0]] if len(named) == 1 else _ranked(row, count)
        if alone is not None:
            found[REWARD.name] = alone
    return found


def _names_models(value: object, count: int, found: Measured) -> bool:
    """Whether a column names the models of the responses; some data sets use it for something else."""
    listed = decoded(value)
    return MODEL not in found and isinstance(listed, list) and len(listed) == count


def _ranked(row: Row, count: int) -> tuple[float | None, ...] | None:
    """The negated ranks of the responses, since 1 is the best; None if the row has none."""
    name = next((name for name in RANKS if isinstance(decoded(row.get(name)), list)), None)
    if name is None:
        return None
    ranks = [number(value) for value in _list(row, name, count)]
    return tuple(None if rank is None else 0.0 - rank for rank in ranks)


def _list(row: Row, column: str, count: int, models: list[str] | None = None) -> list[Any]:
    values = decoded(row[column])
    if values is None:
        return [None] * count
    if models is not None and isinstance(values, Mapping):
        return [values.get(model) for model in models]
    if not isinstance(values, list):
        raise RowError(f"{column[:60]} is not a list")
    if len(values) != count:
        raise RowError(f"{column[:60]} is not as long as the list of responses")
    return values


def _with_pair(pair: Record, texts: Sequence[str], measured: Measured) -> Record:
    """The candidates with the pair's positions among them; a missing text of the pair is added."""
    listed, places = list(texts), []
    for text in pair.responses:
        # of equal texts the second side takes the second, if there is one
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
