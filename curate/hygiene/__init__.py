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
    """

    first: int
    prompts: Sequence[Sequence[Message]]
    chosen: Sequence[str]
    rejected: Sequence[str]

    def __len__(self) -> int:
        return len(self.chosen)


Again = Callable[[], Iterator[Pairs]]
"""Reads the whole data again."""


class Check(Protocol):
    """One check of a whole data set."""

    def read(self, pairs: Pairs) -> None:
        """Take the next pairs."""

    def found(self, again: Again) -> Found:
        """The rows that carry each of its flags, after the last pair was read."""
