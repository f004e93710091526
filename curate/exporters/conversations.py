"""Messages and their Arrow types, as most trainers want them: the role first, then the content."""

from __future__ import annotations

import pyarrow as pa

from curate.exporters.registry import Pair
from curate.schema import Message

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
MESSAGES = pa.list_(MESSAGE)


def answer(text: str) -> Message:
    """A response as the assistant's message."""
    return {"role": "assistant", "content": text}


def context(pair: Pair) -> list[Message]:
    """The messages before the response."""
    return [{"role": one["role"], "content": one["content"]} for one in pair.prompt]


def whole(pair: Pair, text: str) -> list[Message]:
    """The whole conversation that ends with this response."""
    return [*context(pair), answer(text)]
