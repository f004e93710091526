"""Pairs whose sides are given as labels: the column of a response, or the model that wrote it."""

from __future__ import annotations

from typing import Any

from curate.errors import RowError
from curate.readers.contract import Row
from curate.readers.parts.column_names import RESPONSES, SIMPO_RESPONSES
from curate.readers.parts.messages import decoded
from curate.readers.parts.slots import place_of, slots_of, text_at
from curate.readers.parts.structs import is_struct, told

LONGEST, WORDS_OF_LABELS = 60, 2
MODELS = ("models", "generation_models", "model_names", "candidate_policies")


def resolved(row: Row, chosen: Any, rejected: Any) -> tuple[Any, Any]:
    """The responses that two labels mean; values that are not labels unchanged.

    Raises:
        RowError: they are labels, but of what is unclear.
    """
    if isinstance(chosen, str) and len(chosen) > LONGEST:
        return chosen, rejected
    if (_is_number(chosen) and _is_number(rejected)) or _are_positions(row, chosen, rejected):
        raise RowError(
            f"chosen and rejected are numbers ({chosen} and {rejected}), not texts; if they are positions in a list, "
            "name them chosen_index and rejected_index"
        )
    if not (_is_short(chosen) and _is_short(rejected)) or chosen == rejected:
        return chosen, rejected
    slots = slots_of(row)
    if slots is not None:
        texts = [row[column] for column in slots.columns]
        if chosen in texts and rejected in texts:
            return chosen, rejected
        places = place_of(chosen, slots, row), place_of(rejected, slots, row)
        if places[0] is None or places[1] is None:
            if max(len(chosen.split()), len(rejected.split())) > WORDS_OF_LABELS:
                return chosen, rejected
            raise RowError(f"chosen and rejected are {chosen!r} and {rejected!r}, which name none of the responses")
        return text_at(row, slots, places[0]), text_at(row, slots, places[1])
    if chosen in row and rejected in row:
        named = row[chosen], row[rejected]
        if all(isinstance(value, str | list) for value in named):
            return named
    return _by_id(row, chosen, rejected) or _by_model(row, chosen, rejected)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_positions(row: Row, chosen: object, rejected: object) -> bool:
    """Whether both sides are written numbers next to a list of responses, and not among these."""
    if not (isinstance(chosen, str) and isinstance(rejected, str) and chosen.isdigit() and rejected.isdigit()):
        return False
    listed = _listed(row)
    return listed is not None and not (chosen in listed and rejected in listed)


def _is_short(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST and "\n" not in value


def _listed(row: Row) -> list[Any] | None:
    for name in (*RESPONSES, SIMPO_RESPONSES):
        value = decoded(row.get(name))
        if isinstance(value, list) and value:
            return value
    return None


def _mapped(row: Row) -> dict[str, Any] | None:
    """The responses of a row in a mapping from the models that wrote them."""
    found = (decoded(row.get(name)) for name in RESPONSES)
    return next((value for value in found if isinstance(value, dict)), None)


def _by_id(row: Row, chosen: str, rejected: str) -> tuple[Any, Any] | None:
    """The responses that two labels mean if each is in a field of one struct of the list, such as its id."""
    listed = [one for one in _listed(row) or [] if is_struct(one)]
    found = [[one for one in listed if label in one.values()] for label in (chosen, rejected)]
    if any(len(ones) != 1 for ones in found) or found[0] == found[1]:
        return None
    first, second = (told(ones[0]).value for ones in found)
    return first, second


def _by_model(row: Row, chosen: str, rejected: str) -> tuple[Any, Any]:
    """The responses that two models wrote, if a list of models runs parallel to that of the responses."""
    by_model = _mapped(row)
    if by_model is not None and chosen in by_model and rejected in by_model:
        return by_model[chosen], by_model[rejected]
    names = next((value for name in MODELS if isinstance(value := decoded(row.get(name)), list)), None)
    if names is None or names.count(chosen) != 1 or names.count(rejected) != 1:
        return chosen, rejected
    listed = _listed(row)
    if listed is None or len(listed) != len(names) or chosen in listed or rejected in listed:
        return chosen, rejected
    return listed[names.index(chosen)], listed[names.index(rejected)]
