"""Responses in mappings that also describe them: a score, a rank, the model that wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curate.errors import RowError
from curate.readers.parts.messages import is_message, kind_of, message_list
from curate.readers.parts.scores import number

TEXTS = ("response", "answer", "completion", "text", "content", "output", "generation", "generated_text", "summary")
SCORES = ("reward", "fine-grained_score", "overall_score", "score", "rating", "pm_score", "rm_score")
RANK = "rank"


@dataclass(frozen=True)
class Told:
    """A response and what its mapping says about it.

    Attributes:
        value: the response itself, as text or as messages.
        reward: its score; for a ranked response the negated rank, since 1 is the best.
        model: the model that wrote it.
    """

    value: Any
    reward: float | None
    model: str | None


def is_struct(value: object) -> bool:
    """Whether a value is a mapping that contains a response, and is not a message."""
    return isinstance(value, Mapping) and not value.get("role") and not value.get("from") and _key(value) is not None


def _key(value: Mapping[str, Any]) -> str | None:
    for key in TEXTS:
        inner = value.get(key)
        if isinstance(inner, str) or is_message(inner) or message_list(inner) is not None:
            return key
    return None


def told(value: object) -> Told:
    """The response in a mapping.

    Raises:
        RowError: there is no response.
    """
    key = _key(value) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or key is None:
        raise RowError(f"a response is {kind_of(value)}, in which no text is found")
    model = value.get("model")
    return Told(value[key], reward_in(value), model if isinstance(model, str) else None)


def reward_in(value: Mapping[str, Any]) -> float | None:
    """The first score in a mapping under a known name, or None."""
    scores = (number(value[key]) for key in SCORES if key in value)
    found = next((score for score in scores if score is not None), None)
    rank = number(value.get(RANK)) if found is None else None
    return found if rank is None else 0.0 - rank
