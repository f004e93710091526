"""The words in which two answers differ, as pieces of text that a terminal can print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from curate.reporting.texts import marked

Piece = tuple[bool, str]
"""Whether a text is not in the other answer, and the text."""
BEFORE = 80
"""Characters shown before the first difference where the beginning of a text is left out."""


def compared(chosen: str, rejected: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both texts in pieces; white space between two pieces that differ belongs to them."""
    left, right = marked(chosen, rejected)
    return _joined(left), _joined(right)


def _joined(pieces: Iterable[Sequence[int | str]]) -> tuple[Piece, ...]:
    found = [(bool(differs), str(text)) for differs, text in pieces]
    between = [
        not differs and text.isspace() and 0 < i < len(found) - 1 and found[i - 1][0] and found[i + 1][0]
        for i, (differs, text) in enumerate(found)
    ]
    made: list[Piece] = []
    for (differs, text), joins in zip(found, between, strict=True):
        if made and made[-1][0] == (differs or joins):
            made[-1] = (made[-1][0], made[-1][1] + text)
        else:
            made.append((differs or joins, text))
    return tuple(made)


def excerpt(pieces: Sequence[Piece], most: int) -> list[Piece]:
    """At most so many characters: from the beginning, or from shortly before a first difference that is further on."""
    length = sum(len(text) for _, text in pieces)
    first = 0
    for differs, text in pieces:
        if differs:
            break
        first += len(text)
    start = max(first - BEFORE, 0) if length > first > most - BEFORE else 0
    start = min(start, max(length - most, 0))
    made: list[Piece] = [(False, f"... ({start:,} characters before) ")] if start else []
    place = 0
    for differs, text in pieces:
        part = text[max(start - place, 0) : max(start + most - place, 0)]
        made += [(differs, part)] if part else []
        place += len(text)
    after = length - start - most
    return made + ([(False, f" ... ({after:,} more characters)")] if after > 0 else [])
