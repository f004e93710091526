"""Checks of the texts of a whole data set: duplicates, leaks, languages, give-away phrases; each says what it can miss.

A check reads every pair once, in the data's order, and then says which rows carry its flags. Whatever it finds depends
on the data alone, not on how the data was cut into batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from curate.schema import Message
from curate.tokens.tools import response_message

Found = dict[str, np.ndarray]
"""Rows by flag: bool [rows]."""


@dataclass(frozen=True)
class Pairs:
    """Consecutive pairs of a data set.

    Attributes:
        first: the row of the first pair.
        prompts: the messages before each response.
        chosen: the chosen responses.
        rejected: the rejected responses.
        calls: the JSON of the tools that both responses call, empty for none; an empty list if no response calls any.
    """

    first: int
    prompts: Sequence[Sequence[Message]]
    chosen: Sequence[str]
    rejected: Sequence[str]
    calls: Sequence[Sequence[str]] = ()

    def __len__(self) -> int:
        return len(self.chosen)

    def answers(self, row: int) -> tuple[Message, Message]:
        """Both responses as the assistant's messages."""
        calls = self.calls[row] if self.calls else ("", "")
        return response_message(self.chosen[row], calls[0]), response_message(self.rejected[row], calls[1])


Again = Callable[[], Iterator[Pairs]]
"""Reads the whole data again."""


class Check(Protocol):
    """One check of a whole data set."""

    def read(self, pairs: Pairs) -> None:
        """Take the next pairs."""

    def found(self, again: Again) -> Found:
        """The rows that carry each of its flags, after the last pair was read."""
