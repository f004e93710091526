"""A conversation, and one message or text for each side: LLaMA-Factory's ranking layout, and Axolotl's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curate.readers.contract import Layout, Row
from curate.readers.parts.column_names import CONVERSATIONS
from curate.readers.parts.messages import decoded, message_list
from curate.readers.parts.prompt_columns import first_present, prompt_column
from curate.readers.parts.sides import is_conversation, mostly, parse_pair


def _fits(row: Row, chosen: Any, rejected: Any) -> bool:
    if prompt_column(row) is not None or is_conversation(chosen) or is_conversation(rejected):
        return False
    return message_list(decoded(first_present(row, CONVERSATIONS))) is not None


def matches(sample: Sequence[Row]) -> bool:
    """Whether most rows have a conversation, and chosen and rejected that follow it."""
    return mostly(sample, _fits)


LAYOUT = Layout(
    "sharegpt",
    "conversations|messages + chosen, rejected as single messages or texts",
    30,
    "pairs",
    matches,
    parse_pair,
)
