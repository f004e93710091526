"""Pairs that a trainer would corrupt, or could not learn from: refused with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from curate.errors import RowError
from curate.exporters.registry import Exporter, Pair
from curate.schema import TOOL_CALLS, Message

# The dates that the JSON reader of `datasets` (pyarrow's) recognises: no fractional seconds, nothing before or after.
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d(:\d\d(:\d\d)?)?(Z|[+-]\d\d(:?\d\d)?)?)?")


def refuse_pair(pair: Pair, exporter: Exporter) -> None:
    """Refuse a pair that this trainer would misread, or could not learn from.

    Raises:
        RowError: a response is blank or both are equal, and the trainer does not accept that; the prompt ends with the
            assistant; or a text contains a word that the trainer replaces with an image or the like.
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


def calls_alone(message: Message, trainer: str) -> list[Any]:
    """The tools that a message calls, each with its name and arguments; a trainer takes them as a turn of their own.

    Raises:
        RowError: the message says something too.
    """
    if message["content"].strip():
        raise RowError(f"{trainer} takes a text or calls of tools as a turn, not both in one")
    return [one["function"] for one in json.loads(message[TOOL_CALLS])]


def alternating(pair: Pair, trainer: str) -> tuple[str | None, Sequence[Message]]:
    """The system message (None if there is none), and the turns after it, from user to user, or to a tool's result.

    Raises:
        RowError: the turns do not alternate, or a system message is not first.
    """
    has_system = bool(pair.prompt) and pair.prompt[0]["role"] == "system"
    turns = pair.prompt[1:] if has_system else pair.prompt
    if any(one["role"] == "system" for one in turns):
        raise RowError(f"{trainer} takes a system message only in front")
    if any((one["role"] == "assistant") != (place % 2 == 1) for place, one in enumerate(turns)):
        raise RowError(f"{trainer} needs turns of user and assistant that alternate, the user's first")
    if len(turns) % 2 == 0:
        raise RowError(f"{trainer} needs an odd number of turns before the response, the last one the user's")
    return (pair.prompt[0]["content"] if has_system else None), turns
