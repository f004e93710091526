"""Responses in separate columns, `response_a` and `response_b` or `answer_0` to `answer_4`, and labels for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Row, Tie
from curate.readers.parts.column_names import (
    ANSWERS,
    CHOSEN,
    REJECTED,
    REWARDS,
    SIGNED,
    SIMPO_RESPONSES,
    SIMPO_REWARDS,
    VERDICTS,
    folded,
)
from curate.readers.parts.column_names import (
    RANKS as RANK_LISTS,
)
from curate.readers.parts.messages import kind_of

STEMS = (
    *("response", "answer", "output", "completion", "generation", "conversation", "human_ref"),
    *("summary", "candidate", "reply", "assistant", "model_response", "model_output", "conv", "messages"),
)
_STEM = "|".join(sorted(STEMS, key=len, reverse=True))
COLUMN = re.compile(rf"(?P<stem>{_STEM})_?(?P<label>[a-h]|\d{{1,2}})|model_(?P<before>[a-h]|\d)_(?P<after>{_STEM})")
SCORES = ("reward", "score", "rating", "rm_score")
RANKS = ("rank", "ranking")
_LABEL, _WORD = r"(?:[a-h]|\d{1,2})", "|".join((*SCORES, *RANKS))
OF_A_SLOT = re.compile(
    rf"(?:{_WORD})_?(?:(?:{_STEM})_?)?{_LABEL}|(?:(?:model|{_STEM})_?)?{_LABEL}_(?:{_WORD}|model)|model_{_LABEL}|winner_.+"
)
TIES = frozenset(
    {
        *("tie", "tied", "draw", "equal", "same", "a=b", "both", "neither", "none", "no_preference"),
        *("both_bad", "bothbad", "tie_bothbad", "tie_both_bad", "both_good", "bothgood", "tie_bothgood"),
        *("tie_both_good", "equally_good", "equally_bad"),
    }
)
BRACKETS = str.maketrans("", "", "[]()")
LISTED = frozenset(
    {*CHOSEN, *REJECTED, *ANSWERS, *REWARDS, *RANK_LISTS, *SIGNED, *VERDICTS, SIMPO_RESPONSES, SIMPO_REWARDS}
)
ORDINALS = {"first": 0, "left": 0, "second": 1, "right": 1, "a>b": 0, "a>>b": 0, "b>a": 1, "b>>a": 1}
WORDS = ("model", "assistant", "response", "answer", "output", "completion", "system", "candidate", "summary")


@dataclass(frozen=True)
class Slots:
    """The response columns of a row.

    Attributes:
        labels: what distinguishes them: letters, or numbers from 0 or 1.
        columns: their names, in the same order.
        scores: the columns of their scores or ranks; empty unless every response has one.
        ranked: whether these are ranks, with 1 as the best.
        models: the columns that name the models that wrote them; empty unless every response has one.
    """

    labels: tuple[str, ...]
    columns: tuple[str, ...]
    scores: tuple[str, ...]
    ranked: bool
    models: tuple[str, ...]


def slots_of(row: Row) -> Slots | None:
    """The response columns of a row; None if it has none."""
    return _found(tuple(row))


def of_responses(name: str) -> bool:
    """Whether a column of this name is read as responses, as data about them, or as a verdict on them."""
    name = folded(name)
    listed = name in LISTED or OF_A_SLOT.fullmatch(name) is not None
    return listed or COLUMN.fullmatch(name) is not None


@lru_cache(maxsize=256)
def _found(columns: tuple[str, ...]) -> Slots | None:
    by_name = {folded(name): name for name in reversed(columns)}
    stems: dict[str, dict[str, str]] = {}
    for name, column in by_name.items():
        match = COLUMN.fullmatch(name)
        if match:
            stem, label = match["stem"] or match["after"], match["label"] or match["before"]
            stems.setdefault(stem, {})[label] = column
    for stem in STEMS:
        labels = sorted(stems.get(stem, {}), key=lambda label: (len(label), label))
        if len(labels) >= 2 and _consecutive(labels):
            found = tuple(stems[stem][label] for label in labels)
            scores = _beside(by_name, labels, _patterns(stem, SCORES))
            ranks = () if scores else _beside(by_name, labels, _patterns(stem, RANKS))
            return Slots(
                tuple(labels), found, scores or ranks, bool(ranks), _beside(by_name, labels, ["model_{}", "{}_model"])
            )
    return None


def _consecutive(labels: Sequence[str]) -> bool:
    letters = [chr(ord("a") + place) for place in range(len(labels))]
    return list(labels) in (letters, *([str(place + first) for place in range(len(labels))] for first in (0, 1)))


def _patterns(stem: str, words: Sequence[str]) -> list[str]:
    """Possible names for the columns of the responses' numbers; the braces stand for the label."""
    return [
        pattern
        for word in words
        for pattern in (
            *(f"{stem}_{{}}_{word}", f"{stem}{{}}_{word}", f"{word}_{{}}", f"{word}_{stem}_{{}}"),
            *(f"{word}_{stem}{{}}", f"{word}{{}}", f"{{}}_{word}", f"model_{{}}_{word}"),
        )
    ]


def _beside(by_name: Mapping[str, str], labels: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    for pattern in patterns:
        names = [pattern.format(label) for label in labels]
        if all(name in by_name for name in names):
            return tuple(by_name[name] for name in names)
    return ()


def place_of(value: object, slots: Slots, row: Row) -> int | None:
    """Which response a label means; None if it means none of them.

    Args:
        value: the column's name, its letter or number, alone or after a word (`model_a`), the name of the model that
            wrote it, or its text.
        slots: the responses.
        row: their row.

    Raises:
        Tie: the label says that neither is better.
        RowError: the label is a number, but the responses are labelled with letters.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        if slots.labels[0] == "a":
            raise RowError(f"the label is {kind_of(value)}, and the responses are told apart by letters")
        text = str(int(value)) if float(value).is_integer() else ""
        return slots.labels.index(text) if text in slots.labels else None
    if not isinstance(value, str):
        return None
    return _place_of_text(value, slots, row)


def _place_of_text(value: str, slots: Slots, row: Row) -> int | None:
    if value in slots.columns:
        return slots.columns.index(value)
    found = [place for place, column in enumerate(slots.columns) if row[column] == value]
    found = found or [place for place, column in enumerate(slots.models) if row[column] == value]
    if found:
        return found[0] if len(found) == 1 else None
    if len(value) > 40:
        return None
    label = folded(value.translate(BRACKETS).strip(" \t\n.:\"'"))
    if label in TIES:
        raise Tie("neither response is better: a tie")
    if label in ORDINALS:
        return ORDINALS[label]
    for word in WORDS:
        label = label.removeprefix(word + "_")
    label = label.removesuffix("_is_better").removesuffix("_wins")
    if label in slots.labels:
        return slots.labels.index(label)
    return "ab".index(label) if label in ("a", "b") and len(slots.labels) == 2 else None


def text_at(row: Row, slots: Slots, place: int) -> Any:
    """The response in one of the columns.

    Raises:
        RowError: it is missing.
    """
    value = row[slots.columns[place]]
    if value is None:
        raise RowError(f"the response in {slots.columns[place]} is missing")
    return value
