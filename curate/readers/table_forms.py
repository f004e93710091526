"""Forms of writing a table that only many rows together make clear: words for sides, transcripts, structs of lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from curate.readers.contract import Row
from curate.readers.parts.column_names import (
    ANSWERS,
    CONTEXT,
    CONVERSATIONS,
    HISTORY,
    INPUT,
    INSTRUCTION,
    ONE_ANSWER,
    PROMPT,
    PROMPTS,
    SIDES,
    WORDS_OF_SIDES,
    folded,
)
from curate.readers.parts.messages import decoded, is_message, message_list
from curate.readers.parts.prompt_columns import first_present
from curate.readers.parts.sides import both_sides
from curate.readers.parts.slots import slots_of
from curate.readers.parts.structs import TEXTS, is_struct
from curate.readers.parts.transcripts import is_spoken

CHOSEN, REJECTED = SIDES[0][0], SIDES[0][1][0]
ASKED = (*PROMPT, INSTRUCTION, INPUT, "user_prompt", "problem", *CONVERSATIONS)
"""Where the prompt is: next to `query` or `anchor`, positive and negative are passages that a search found."""
LEAST_WORDS = 2
OF_A_MESSAGE = (("role", "content"), ("from", "value"))
TURNED = (*(name for chosen, others in SIDES for name in (chosen, *others)), *CONVERSATIONS, *PROMPT, *ANSWERS)


def _mostly(answers: Sequence[bool]) -> bool:
    return any(answers) and 2 * sum(answers) >= len(answers)


def sides_in_words(sample: Sequence[Row]) -> dict[str, str]:
    """The columns of chosen and rejected if words such as `winner` and `loser` name them, and they hold responses."""
    columns = {folded(name): name for row in reversed(sample) for name in reversed(list(row))}
    if not sample or any(_is_told(row) for row in sample) or not any(name in columns for name in ASKED):
        return {}
    for chosen, rejected in WORDS_OF_SIDES:
        if chosen in columns and rejected in columns:
            named = columns[chosen], columns[rejected]
            given = [both for row in sample if None not in (both := [row.get(name) for name in named])]
            if _mostly([all(_is_response(value) for value in both) for both in given]):
                return {CHOSEN: named[0], REJECTED: named[1]}
    return {}


def _is_told(row: Row) -> bool:
    """Whether a row has sides under plainer names, or responses that the words may be about."""
    if both_sides(row) is not None or slots_of(row) is not None or first_present(row, ONE_ANSWER) is not None:
        return True
    return any(isinstance(decoded(row.get(name)), list | dict) for name in ANSWERS)


def _is_response(value: object) -> bool:
    if isinstance(value, str):
        return len(value.split()) >= LEAST_WORDS
    return is_message(value) or message_list(value) is not None or is_struct(value)


def are_spoken(sample: Sequence[Row]) -> bool:
    """Whether in most rows both sides are `User:` and `Assistant:` lines, and no column holds the prompt."""
    found = [sides for row in sample if (sides := both_sides(row)) is not None]
    if any(first_present(row, (*PROMPTS, *CONVERSATIONS, *CONTEXT, *HISTORY)) is not None for row in sample):
        return False
    return _mostly([all(isinstance(side, str) and is_spoken(side) for side in sides) for sides in found])


def turned_columns(sample: Sequence[Row]) -> frozenset[str]:
    """The columns that hold messages, or responses, as a struct of lists: `datasets` stores sequences of structs so."""
    return frozenset(name for name in TURNED if _mostly(_given(sample, name, _is_turned)))


def _given(sample: Sequence[Row], name: str, fits: Callable[[object], bool]) -> list[bool]:
    return [fits(row[name]) for row in sample if row.get(name) is not None]


def _is_turned(value: object) -> bool:
    value = decoded(value)
    if not isinstance(value, dict) or len(value) < LEAST_WORDS:
        return False
    lists = {key: inner for key, inner in value.items() if isinstance(inner, list)}
    messages = any(first in lists and second in lists for first, second in OF_A_MESSAGE)
    return messages or (len(lists) == len(value) and any(key in lists for key in TEXTS))


def turned(value: Any) -> Any:
    """A struct of lists as the list of structs that it was made of; anything else, and ragged lists, unchanged."""
    struct = decoded(value)
    if not _is_turned(struct) or not isinstance(struct, dict):
        return value
    lists = {key: inner for key, inner in struct.items() if isinstance(inner, list)}
    if len({len(inner) for inner in lists.values()}) > 1:
        return value
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
