"""Transcripts: whole conversations in one string, turns marked by `Human:` and `Assistant:` after an empty line."""

from __future__ import annotations

import re

from curate.errors import RowError
from curate.schema import Message

TURN = re.compile(r"\n\n(Human|Assistant): ?(.*?)(?=\n\n(?:Human|Assistant):|\Z)", re.DOTALL)
START = re.compile(r"\n\n(Human|Assistant):")
ROLES = {"Human": "user", "Assistant": "assistant"}


def is_transcript(value: object) -> bool:
    """Whether a value is a string that begins with a turn's marker."""
    return isinstance(value, str) and START.match(value) is not None


def parse_transcript(text: str) -> list[Message]:
    """The turns of a transcript, each stripped of surrounding white space.

    Raises:
        RowError: there is no turn, or text before the first one.
    """
    if not is_transcript(text):
        first = START.search(text)
        raise RowError("there is text before the first turn" if first else "the transcript has no turns")
    return [{"role": ROLES[who], "content": said.strip()} for who, said in TURN.findall(text)]


def parse_prompt(text: str) -> list[Message]:
    """The turns of a transcript that stops where the response begins: its open last turn is left out.

    Raises:
        RowError: it is no transcript, or the last turn is the assistant's and already says something.
    """
    turns = parse_transcript(text)
    if turns[-1]["role"] != "assistant":
        return turns
    if turns[-1]["content"]:
        raise RowError("the prompt ends within a turn of the assistant")
    if len(turns) == 1:
        raise RowError("there is no prompt before the response")
    return turns[:-1]
