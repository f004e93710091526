"""A prompt beside chosen and rejected, each as text, as one message or as messages: TRL, Intel orca and many more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Layout, Row
from curate.readers.sides import mostly, parse_pair, prompt_value


def _fits(row: Row, chosen: Any, rejected: Any) -> bool:
    try:
        return prompt_value(row) is not None
    except RowError:
        # a prompt that cannot be read is a prompt; parsing will say what is wrong with it
        return True


def matches(sample: Sequence[Row]) -> bool:
    """Whether most rows with both sides have a prompt beside them."""
    return mostly(sample, _fits)


LAYOUT = Layout(
    "explicit",
    "prompt|question|input|instruction (+ system) + chosen + rejected|reject|rejected_response",
    60,
    "pairs",
    matches,
    parse_pair,
)
