"""Token ids of a text that continues another, as in generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from curate.tokens import ChatTokenizer

MARKS = ("", "\n", ".", ":", "]", ">", "a", "0")
"""Prefixes put before a continuation to tokenise it, tried in turn until one works. First none; then a mark, so that
the space that SentencePiece writes before every text lands before the mark and not before the text."""


@dataclass(frozen=True)
class Continuation:
    """A text and what it continues.

    Attributes:
        before: token ids that precede it.
        text: the continuation.
        whole: token ids of both texts tokenised as one: what the result must decode to.
    """

    before: list[int]
    text: str
    whole: list[int]


def continued(tokenizer: ChatTokenizer, wanted: Sequence[Continuation]) -> list[list[int] | None]:
    """The ids of each continuation; None if no ids after `before` decode to the text of `whole`."""
    texts = [tokenizer.text(one.whole) for one in wanted]
    found: list[list[int] | None] = [None] * len(wanted)
    left = list(range(len(wanted)))
    for mark in MARKS:
        if not left:
            break
        lead = tokenizer.encode([mark])[0] if mark else []
        encoded = tokenizer.encode([mark + wanted[i].text for i in left])
        for i, ids in zip(left, encoded, strict=True):
            rest = ids[len(lead) :]
            if ids[: len(lead)] == lead and tokenizer.text(wanted[i].before + rest) == texts[i]:
                found[i] = rest
        left = [i for i in left if found[i] is None]
    return found
