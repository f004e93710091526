"""Pairs whose responses differ only beyond the token limit: a trainer that cuts them there sees the same text twice.

Its loss on such a pair stays at log 2 = 0.6931 and its gradient is zero. Both conversations are rendered with the chat
template, tokenised and cut as the trainer's settings say, and the remaining token ids compared; pairs that are the same
text altogether have the flag `identical` instead. A trainer with another limit, or another template, differs.
"""

from __future__ import annotations

import numpy as np

from curate.hygiene import Again, Found, Rows
from curate.render import Renderer

AT_ONCE = 256
"""Pairs whose token ids are in memory at once."""


class WithinLimit:
    """The flag `identical_truncated`.

    Args:
        renderer: the tokenizer, its chat template, and the limit.
        among: the rows that were cut, where that is known, so that the others need not be tokenised: bool [rows].
    """

    def __init__(self, renderer: Renderer, among: np.ndarray | None = None) -> None:
        self._renderer, self._among = renderer, among
        self._pieces: list[np.ndarray] = []

    def read(self, rows: Rows) -> None:
        """Tokenise both sides of each pair that may have been cut."""
        same = np.zeros(len(rows), bool)
        wanted = [i for i in range(len(rows)) if self._may_be(rows, i)]
        for start in range(0, len(wanted), AT_ONCE):
            self._compare(rows, wanted[start : start + AT_ONCE], same)
        self._pieces.append(same)

    def _compare(self, pairs: Rows, wanted: list[int], same: np.ndarray) -> None:
        both = [pairs.answers(i) for i in wanted]
        sides = [
            self._renderer.render(
                [(pairs.prompts[i], answers[side]) for i, answers in zip(wanted, both, strict=True)],
                [answers[1 - side] for answers in both],
            )
            for side in (0, 1)
        ]
        for i, one, other in zip(wanted, *sides, strict=True):
            cut = (one.truncated or other.truncated) and not (one.dropped or other.dropped)
            same[i] = cut and one.ids == other.ids

    def _may_be(self, pairs: Rows, i: int) -> bool:
        cut = self._among is None or self._among[pairs.first + i]
        chosen, rejected = pairs.responses[i]
        return bool(cut) and chosen != rejected

    def found(self, again: Again) -> Found:
        """What was found while reading."""
        return {"identical_truncated": np.concatenate(self._pieces)} if self._pieces else {}
