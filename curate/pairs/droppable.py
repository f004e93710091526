"""`pair --drop-flags`: which responses take no part in pairs, so that the prompt's next best pair takes the place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from curate.hygiene.phrases import PHRASES, says
from curate.responses.pools import Pool
from curate.responses.table import messages_of
from curate.responses.text_flags import text_flags
from curate.schema import TRUNCATED, Record

OF_RESPONSES = (
    "empty",
    "refusal",
    "not_after_user",
    "user_twice",
    "repeats_prompt",
    "template_markup",
    TRUNCATED.name,
    *PHRASES,
)
"""The flags that a single response shows, or its prompt."""


@dataclass(frozen=True)
class Droppable:
    """What a response must not show if it is to be in a pair.

    Attributes:
        flags: the flags.
        truncated: whether each slot's response was cut, bool [slots].
    """

    flags: Sequence[str] = ()
    truncated: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))

    def usable(self, pool: Pool, prompt: str, texts: Sequence[str], dropped: Counter[str]) -> np.ndarray | None:
        """The responses of a prompt that may be in a pair.

        Args:
            pool: the prompt.
            prompt: its messages in canonical spelling.
            texts: its responses, by position.
            dropped: counts the other responses, by their first flag.

        Returns:
            bool [responses]; None where no flag is dropped.
        """
        if not self.flags:
            return None
        messages, said = tuple(messages_of(prompt)), says(texts) if set(PHRASES) & set(self.flags) else {}
        usable = np.ones(len(texts), bool)
        for place, (text, slot) in enumerate(zip(texts, pool.slots.tolist(), strict=True)):
            found = {*text_flags(Record(messages, (text,))), *(flag for flag, rows in said.items() if rows[place])}
            if self.truncated[slot]:
                found.add(TRUNCATED.name)
            if reason := next((flag for flag in self.flags if flag in found), None):
                dropped[reason] += 1
                usable[place] = False
        return usable
