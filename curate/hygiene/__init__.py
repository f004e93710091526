"""Checks of the texts of a whole data set: duplicates, leaks, languages, give-away phrases; each says what it can miss.

A check reads every row once, in the data's order, and then says which rows carry its flags. A row is a pair, or a
prompt with its candidates. Whatever a check finds depends on the data alone, not on how it was cut into batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from curate.schema import Message
from curate.tokens.tools import response_message

Found = dict[str, np.ndarray]
"""Rows by flag: bool [rows]."""


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a data set.

    Attributes:
        first: the number of the first row.
        prompts: the messages before each row's responses.
        responses: the responses of each row: of a pair chosen and rejected, otherwise all candidates.
        calls: the JSON of the tools that each response calls, empty for none; an empty list if no response calls any.
    """

    first: int
    prompts: Sequence[Sequence[Message]]
    responses: Sequence[Sequence[str]]
    calls: Sequence[Sequence[str]] = ()

    def __len__(self) -> int:
        return len(self.responses)

    @cached_property
    def flat(self) -> list[str]:
        """The responses of all rows, one after another."""
        return [text for texts in self.responses for text in texts]

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each row's responses begin in `flat`: int64 [rows]."""
        ends = np.cumsum([len(texts) for texts in self.responses], dtype=np.int64)
        return np.concatenate([[0], ends[:-1]]).astype(np.int64)

    def any_of(self, responses: np.ndarray) -> np.ndarray:
        """The rows with a response for which this is true.

        Args:
            responses: a value for each response of `flat`: bool [responses].

        Returns:
            bool [rows].
        """
        rows = np.repeat(np.arange(len(self)), [len(texts) for texts in self.responses])
        counts: np.ndarray = np.bincount(rows[responses], minlength=len(self)) > 0
        return counts

    def answers(self, row: int) -> tuple[Message, Message]:
        """Both responses of a pair as the assistant's messages."""
        calls = self.calls[row] if self.calls else ("", "")
        chosen, rejected = self.responses[row]
        return response_message(chosen, calls[0]), response_message(rejected, calls[1])


Again = Callable[[], Iterator[Rows]]
"""Reads the whole data again."""


class Check(Protocol):
    """One check of a whole data set."""

    def read(self, rows: Rows) -> None:
        """Take the next rows."""

    def found(self, again: Again) -> Found:
        """The rows that carry each of its flags, after the last pair was read."""
