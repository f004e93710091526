"""A run's share of the measuring, where several runs measure one data set together."""

from __future__ import annotations

import re
from dataclasses import dataclass

FORM = re.compile(r"([1-9]\d*)/([1-9]\d*)")


@dataclass(frozen=True)
class Share:
    """Share `number` of `of`, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """The share that `2/8` names.

        Raises:
            ValueError: the text is of another form, or the first number is the larger one.
        """
        match = FORM.fullmatch(text.replace(" ", ""))
        if match is None or int(match[1]) > int(match[2]):
            raise ValueError("a shard is I/N, from 1/N to N/N: 3/8 is the third of eight")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def takes(self, place: int) -> bool:
        """Whether the part at this place, counted from 0, belongs to the share: parts are dealt out in turn."""
        return place % self.of == self.number - 1
