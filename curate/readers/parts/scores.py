"""Numbers that the data already has: rewards under their many names, and this tool's earlier measurements."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from curate.readers.contract import Row
from curate.readers.parts.column_names import RESPONSES, REWARD_PAIRS, REWARDS, SIMPO_RESPONSES, SIMPO_REWARDS
from curate.readers.parts.messages import decoded
from curate.schema import CHOSEN_MODEL, MODEL, REJECTED_MODEL, RESPONSE_FIELDS, REWARD, Type, named_reward

# some data sets say `reject` for `rejected`
REWARD_COLUMNS = tuple(
    (chosen, name) for chosen, rejected in REWARD_PAIRS for name in (rejected, rejected.replace("rejected", "reject"))
)
CHOSEN_NAMED, REJECTED_NAMED = (named_reward("").chosen, named_reward("").rejected)
LISTED = ((SIMPO_RESPONSES, (SIMPO_REWARDS,)), *((name, REWARDS) for name in RESPONSES))

MINUS = "\u2212"
THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:(?:,\d{3})+\.\d+|(?:,\d{3}){2,})")
DOTTED_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:(?:\.\d{3})+,\d+|(?:\.\d{3}){2,})")
DECIMAL_COMMA = re.compile(r"[-+]?\d+,(?:\d{1,2}|\d{4,})")

Measured = dict[str, tuple[Any, ...]]


def number(value: object) -> float | None:
    """A finite number, from a number, its text, or a mapping with exactly one number; otherwise None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        inner = [found for one in value.values() if not isinstance(one, Mapping) and (found := number(one)) is not None]
        return inner[0] if len(inner) == 1 else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        found = float(_plain(value) if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _plain(text: str) -> str:
    """A number's text as Python writes it; `1,234` stays as it is, since it may be a thousand or a little over one."""
    text = text.strip().replace(MINUS, "-")
    if THOUSANDS.fullmatch(text):
        return text.replace(",", "")
    if DOTTED_THOUSANDS.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    return text.replace(",", ".") if DECIMAL_COMMA.fullmatch(text) else text


def value_of(kind: Type, value: object) -> Any:
    """A value converted to a column of the given type; None if it does not fit."""
    if kind == "bool":
        return value if isinstance(value, bool) else None
    if kind == "string":
        return value if isinstance(value, str) else None
    found = number(value)
    if kind == "i32":
        return int(found) if found is not None and found.is_integer() and abs(found) < 2**31 else None
    return found


def _present(row: Row) -> tuple[str, str] | None:
    """The first reward columns that the row has, null or not.

    Presence decides, not the value: falling back on the next columns when these are null would mix two scales.
    """
    return next(
        (names for names in REWARD_COLUMNS if names[0] in row and names[1] in row and _single(row, names)), None
    )


def _single(row: Row, names: tuple[str, str]) -> bool:
    """Whether the columns hold no lists, such as the ratings of several judges."""
    return not any(isinstance(row[name], list) for name in names)


def reward_columns(sample_rows: Sequence[Row]) -> tuple[str, str] | None:
    """The two columns that hold the rewards of pairs; None if no row of the sample has any."""
    for names in REWARD_COLUMNS:
        rows = [row for row in sample_rows if _present(row) == names]
        if any(number(row[name]) is not None for row in rows for name in names):
            return names
    return None


def pair_measured(row: Row, responses: Sequence[str]) -> Measured:
    """Every measurement of a row's pair, in the form of `Record.measured`.

    Args:
        row: the row.
        responses: the texts of chosen and rejected. If the row has no reward columns, their rewards are looked up in
            the list parallel to that of all its responses.
    """
    found: Measured = {}
    for field in RESPONSE_FIELDS:
        if field is not REWARD and field.chosen in row and field.rejected in row:
            found[field.name] = tuple(value_of(field.type, row[name]) for name in (field.chosen, field.rejected))
    if CHOSEN_MODEL.name in row and REJECTED_MODEL.name in row:
        found[MODEL] = tuple(value_of("string", row[column.name]) for column in (CHOSEN_MODEL, REJECTED_MODEL))
    for name in _named(row):
        field = named_reward(name)
        found[field.name] = (number(row[field.chosen]), number(row[field.rejected]))
    names = _present(row)
    if names is not None:
        found[REWARD.name] = (number(row[names[0]]), number(row[names[1]]))
    elif (scores := _looked_up(row, responses) or _by_side(row)) is not None:
        found[REWARD.name] = scores
    return found


def _by_side(row: Row) -> tuple[Any, ...] | None:
    """The rewards of a pair in one struct, as `{"chosen": 5, "rejected": 3}`."""
    for name in REWARDS:
        value = decoded(row.get(name))
        if isinstance(value, Mapping) and "chosen" in value and "rejected" in value:
            return number(value["chosen"]), number(value["rejected"])
    return None


def _named(row: Row) -> Iterator[str]:
    for column in row:
        name = column.removeprefix(CHOSEN_NAMED)
        if name and name != column and REJECTED_NAMED + name in row:
            yield name


def _looked_up(row: Row, responses: Sequence[str]) -> tuple[Any, ...] | None:
    """The rewards of a pair's texts, from a list parallel to the list of all responses."""
    for name, rewards in LISTED:
        if name not in row:
            continue
        texts = decoded(row[name])
        for column in rewards:
            scores = decoded(row[column]) if column in row else None
            if isinstance(texts, list) and isinstance(scores, list) and len(texts) == len(scores):
                return tuple(number(scores[texts.index(text)]) if text in texts else None for text in responses)
    return None
