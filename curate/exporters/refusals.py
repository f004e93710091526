"""Pairs that a trainer would corrupt, or could learn nothing from: refused with the reason."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curate.errors import RowError
from curate.exporters.registry import Exporter, Pair
from curate.schema import Message

# As the JSON reader of `datasets` (pyarrow's) has them: no fractions of a second, nothing before or after.
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d(:\d\d(:\d\d)?)?(Z|[+-]\d\d(:?\d\d)?)?)?")


def refuse_pair(pair: Pair, exporter: Exporter) -> None:
    """Refuse what this trainer would read as something else, or could learn nothing from.

    Raises:
        RowError: a response is blank or both are the same, and the trainer does not just read these; the assistant has
            the prompt's last word; or a text holds a word that the trainer replaces by an image or the like.
    """
    if not exporter.any_text:
        _refuse_empty(pair)
    if pair.prompt and pair.prompt[-1]["role"] == "assistant":
        raise RowError("the prompt ends with the assistant: a trainer would take part of it for the response")
    for word in exporter.placeholders:
        if any(word in text for text in texts(pair)):
            raise RowError(f"{exporter.name} takes {word} for a place where an image or the like belongs")
    if exporter.kind == "jsonl" and any(TIMESTAMP.fullmatch(text) for text in texts(pair)):
        raise RowError(f"{exporter.name} reads JSON with datasets, which takes a text that is a date for a timestamp")


def _refuse_empty(pair: Pair) -> None:
    for side, text in (("chosen", pair.chosen), ("rejected", pair.rejected)):
        if not text.strip():
            raise RowError(f"the {side} response is empty")
    if pair.chosen.strip() == pair.rejected.strip():
        raise RowError("both responses are the same, but for white space around them")


def texts(pair: Pair) -> list[str]:
    """Every text of a pair."""
    return [*(one["content"] for one in pair.prompt), pair.chosen, pair.rejected]


def alternating(pair: Pair, trainer: str) -> tuple[str | None, Sequence[Message]]:
    """The system message, None without one, and the turns after it, from a user's to a user's.

    Raises:
        RowError: the turns do not alternate, or a system message is not in front.
    """
    has_system = bool(pair.prompt) and pair.prompt[0]["role"] == "system"
    turns = pair.prompt[1:] if has_system else pair.prompt
    if any(one["role"] == "system" for one in turns):
        raise RowError(f"{trainer} takes a system message only in front")
    if [one["role"] for one in turns] != ["user" if i % 2 == 0 else "assistant" for i in range(len(turns))]:
        raise RowError(f"{trainer} needs turns of user and assistant that alternate, the user's first")
    if len(turns) % 2 == 0:
        raise RowError(f"{trainer} needs an odd number of turns before the response, the last one the user's")
    return (pair.prompt[0]["content"] if has_system else None), turns
