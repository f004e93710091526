"""Chosen and rejected as whole conversations that include their prompt: ultrafeedback_binarized, Skywork, tulu, ..."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curate.readers.contract import Layout, Row
from curate.readers.parts.sides import is_conversation, mostly, parse_pair


def _fits(row: Row, chosen: Any, rejected: Any) -> bool:
    return is_conversation(chosen) and is_conversation(rejected)


def matches(sample: Sequence[Row]) -> bool:
    """Whether most rows have two conversations, each with its own context."""
    return mostly(sample, _fits)


LAYOUT = Layout("implicit", "chosen, rejected as whole conversations", 40, "pairs", matches, parse_pair)
