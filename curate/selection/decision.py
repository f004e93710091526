"""Which rows of a table `curate select` keeps, and why not the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl

REASON = "reject_reason"


@dataclass(frozen=True)
class Decision:
    """Which rows are kept, and why not the others.

    Attributes:
        mask: bool [rows].
        alive: which could have been kept, their values alone deciding: bool [rows].
        codes: per row the number of the reason why it is not kept, 0 where it is: uint8 [rows].
        reasons: the reasons by their numbers.
    """

    mask: np.ndarray
    alive: np.ndarray
    codes: np.ndarray
    reasons: list[str]

    @property
    def kept(self) -> int:
        """How many rows are kept."""
        return int(self.mask.sum())

    @property
    def counts(self) -> dict[str, int]:
        """How many rows are not kept, by reason, the commonest first."""
        counted: Counter[str] = Counter()
        for code, reason in enumerate(self.reasons[1:], 1):
            counted[reason] += int((self.codes == code).sum())
        return {reason: rows for reason, rows in counted.most_common() if rows}

    def reasons_of(self, first: int, rows: int) -> pl.Series:
        """The reasons of some consecutive rows."""
        return pl.Series(REASON, self.reasons).gather(self.codes[first : first + rows])
