"""Runs one check over a few pairs, in one batch and in several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from curate.hygiene import Check, Rows

Row = tuple[Any, *tuple[str, ...]]
"""A prompt (text, or messages as (role, text)), and its responses, of a pair chosen and rejected."""


def messages(prompt: Any) -> list[dict[str, str]]:
    turns = [("user", prompt)] if isinstance(prompt, str) else prompt
    return [{"role": role, "content": text} for role, text in turns]


def batches(rows: Sequence[Row], size: int) -> Iterator[Rows]:
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        yield Rows(first, [messages(prompt) for prompt, *_ in part], [responses for _, *responses in part])


def run(make: Callable[[], Check], rows: Sequence[Row]) -> dict[str, list[int]]:
    """The rows of each flag, which must not depend on the size of batches."""
    found = []
    for size in (len(rows) or 1, 1, 3):
        check = make()
        for pairs in batches(rows, size):
            check.read(pairs)
        flags = check.found(lambda size=size: batches(rows, size))  # type: ignore[misc]
        found.append({flag: [i for i, one in enumerate(mask.tolist()) if one] for flag, mask in flags.items()})
    assert found[0] == found[1] == found[2]
    return found[0]


LONG = "the quick brown fox jumps over the lazy dog while seven wizards brew a potion of green tea and old rum for two"
HOSTILE: list[Row] = [
    ("", "", ""),
    ("   ", "\n", "\t"),
    ("🙂🙂", "🙂", "👩‍👩‍👧"),
    ("नमस्ते दुनिया", "مرحبا بالعالم", "สวัสดีชาวโลก"),
    ("\x00", "a\x00b", "\u202e"),
    ([("system", "s"), ("user", "u"), ("assistant", "a"), ("user", "v")], "x" * 5000, "ﬁ" * 50),
]
