"""Two responses in separate columns and a verdict on them: arenas, HelpSteer's preferences, SHP and many more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Layout, Row, Tie
from curate.readers.parts.column_names import PROMPT, TURN
from curate.readers.parts.messages import decoded, kind_of, message_list
from curate.readers.parts.prompt_columns import first_present
from curate.readers.parts.scores import Measured, number, value_of
from curate.readers.parts.sides import both_sides, is_conversation, pair_of
from curate.readers.parts.slots import Slots, slots_of, text_at
from curate.readers.parts.structs import is_struct, told
from curate.readers.parts.verdicts import numbered_alike, verdict_of
from curate.schema import MODEL, REWARD, Record

LISTED = ('["', "[null", "['")


def _fits(row: Row) -> bool | None:
    """Whether a row has two responses and a verdict on them; None if that cannot be decided."""
    slots = slots_of(row)
    if slots is None or len(slots.columns) != 2:
        return False
    if any(row[column] is None for column in slots.columns):
        return None
    try:
        return verdict_of(row, slots) is not None
    except Tie:
        return both_sides(row) is None
    except RowError:
        return False


def matches(sample: Sequence[Row]) -> bool:
    """Whether most rows have two responses and say which is better."""
    answers = [answer for row in sample if (answer := _fits(row)) is not None]
    return bool(answers) and 2 * sum(answers) >= len(answers) and numbered_alike(sample)


def parse(row: Row) -> Record:
    """The pair of one row, the better response first.

    Raises:
        RowError: the row is bad; the message says why.
        Tie: neither response is better.
    """
    slots = _two(row)
    better = verdict_of(row, slots)
    if better is None:
        raise RowError("no column says which response is better")
    return _in_order(row, slots, (better, 1 - better))


def parse_tie(row: Row) -> Record:
    """The pair of a tie, in the order of the columns.

    Raises:
        RowError: the row is bad; the message says why.
    """
    return replace(_in_order(row, _two(row), (0, 1)), tie=True)


def _two(row: Row) -> Slots:
    slots = slots_of(row)
    if slots is None or len(slots.columns) != 2:
        raise RowError("there are no two responses")
    return slots


def _in_order(row: Row, slots: Slots, order: tuple[int, int]) -> Record:
    chosen, rejected = (_value(row, slots, place) for place in order)
    record = pair_of(row, *_in_turns(row, chosen, rejected))
    return replace(record, measured=_beside(row, slots, order) | dict(record.measured))


def _beside(row: Row, slots: Slots, order: Sequence[int]) -> Measured:
    """What separate columns say about the two responses: their scores, and the models that wrote them."""
    found: Measured = {}
    if slots.scores:
        numbers = (number(row[slots.scores[place]]) for place in order)
        found[REWARD.name] = tuple(0.0 - one if slots.ranked and one is not None else one for one in numbers)
    if slots.models:
        found[MODEL] = tuple(value_of("string", row[slots.models[place]]) for place in order)
    return found


def _value(row: Row, slots: Slots, place: int) -> Any:
    value = text_at(row, slots, place)
    if isinstance(value, Mapping) and is_struct(value):
        return told(value).value
    turn = row.get(TURN)
    inner: Any = decoded(value)
    if not is_conversation(inner):
        return value
    inner = message_list(inner)
    return _up_to(inner, turn) if isinstance(turn, int) else inner


def _up_to(conversation: list[Any], turn: int) -> list[Any]:
    """A conversation up to the assistant's answer of this number, from 1: the answer that was judged."""
    places = [place for place, one in enumerate(conversation) if one.get("role", one.get("from")) == "assistant"]
    return conversation[: places[turn - 1] + 1] if 0 < turn < len(places) else conversation


def _in_turns(row: Row, chosen: Any, rejected: Any) -> tuple[Any, Any]:
    """Both sides as conversations if prompt and responses are lists of turns; otherwise unchanged."""
    prompt = first_present(row, PROMPT)
    if not all(_is_listed(value) for value in (prompt, chosen, rejected)):
        return chosen, rejected
    asked, *said = (_texts(value) for value in (prompt, chosen, rejected))
    if any(len(turns) != len(asked) for turns in said):
        raise RowError("a response has another number of turns than the prompt")
    first, second = (
        [
            message
            for question, answer in zip(asked, turns, strict=True)
            for message in ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
        ]
        for turns in said
    )
    return first, second


def _is_listed(value: Any) -> bool:
    if isinstance(value, str):
        return value.lstrip().startswith(LISTED)
    return isinstance(value, list) and bool(value) and isinstance(value[0], str | None)


def _texts(value: Any) -> list[str]:
    inner = decoded(value)
    if not isinstance(inner, list):
        raise RowError("a list of turns is not valid JSON")
    missing = next((one for one in inner if not isinstance(one, str)), None)
    if missing is not None or None in inner:
        raise RowError(f"a turn is {kind_of(missing)} where text is expected")
    return inner


LAYOUT = Layout(
    "choice",
    "prompt + response_a, response_b (or _1, _2; conversation_a, ...) + winner|preference|choice|...",
    25,
    "pairs",
    matches,
    parse,
    parse_tie,
)
