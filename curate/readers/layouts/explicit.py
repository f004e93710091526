"""A prompt next to chosen and rejected, each a text, a message or messages: TRL, Intel orca and many more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curate.readers.contract import Layout, Row
from curate.readers.parts.column_names import CONTEXT, HISTORY
from curate.readers.parts.prompt_columns import first_present, prompt_column
from curate.readers.parts.sides import mostly, parse_pair


def _fits(row: Row, chosen: Any, rejected: Any) -> bool:
    return prompt_column(row) is not None or bool(first_present(row, (*CONTEXT, *HISTORY)))


def matches(sample: Sequence[Row]) -> bool:
    """Whether most rows with both sides have a prompt next to them."""
    return mostly(sample, _fits)


LAYOUT = Layout(
    "explicit",
    "prompt|question|input|instruction (+ system, history) + chosen|accepted + rejected|reject|rejected_response",
    60,
    "pairs",
    matches,
    parse_pair,
)
