"""Earlier turns in a separate column, in the forms that data sets use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.errors import RowError
from curate.readers.parts.messages import decoded, holds_something, kind_of, message_list, normalise
from curate.readers.parts.transcripts import is_written_out, parse_written_out
from curate.schema import Message

ASKED = ("user", "human", "input", "question", "prompt", "instruction", "query")
SAID = ("assistant", "gpt", "bot", "model", "output", "answer", "response")


def history_messages(value: object, name: str) -> list[Message]:
    """The earlier turns in a value, oldest first; empty if there are none.

    Args:
        value: a list of messages, of pairs of question and answer, or of mappings with both; or its JSON text; or a
            transcript.
        name: the column, for the reason.

    Raises:
        RowError: it contains something else.
    """
    inner = decoded(value)
    if isinstance(inner, str):
        if not inner.strip():
            return []
        if is_written_out(inner):
            return parse_written_out(inner)
        raise RowError(f"{name} is text, in which it is not marked who said what")
    if not holds_something(inner):
        return []
    if message_list(inner) is not None:
        return normalise(inner, name)
    if not isinstance(inner, list):
        raise RowError(f"{name} is {kind_of(inner)}, not a list of turns")
    return [message for turn in inner for message in _turn(turn, name)]


def _turn(turn: object, name: str) -> list[Message]:
    asked, said = _both(turn)
    if not isinstance(asked, str) or not isinstance(said, str):
        raise RowError(f"{name} holds {kind_of(turn)} where a question and its answer are expected")
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]


def _both(turn: object) -> tuple[Any, Any]:
    if isinstance(turn, list) and len(turn) == 2:
        return turn[0], turn[1]
    if not isinstance(turn, Mapping):
        return None, None
    asked = [turn[key] for key in ASKED if turn.get(key) is not None]
    said = [turn[key] for key in SAID if turn.get(key) is not None]
    return (asked[0], said[0]) if len(asked) == len(said) == 1 else (None, None)
