"""Which rows of a table `curate select` keeps, and why it drops the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl

REASON = "reject_reason"


@dataclass(frozen=True)
class Decision:
    """Which rows are kept, and why the others are not.

    Attributes:
        mask: bool [rows].
        alive: the eligible rows, among which the values decide: bool [rows].
        codes: the number of the reason why each row is dropped, 0 if it is kept: uint8 [rows].
        reasons: the reasons by number.
    """

    mask: np.ndarray
    alive: np.ndarray
    codes: np.ndarray
    reasons: list[str]

    @property
    def kept(self) -> int:
        """The number of rows kept."""
        return int(self.mask.sum())

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows dropped, by reason, most frequent first."""
        counted: Counter[str] = Counter()
        for code, reason in enumerate(self.reasons[1:], 1):
            counted[reason] += int((self.codes == code).sum())
        return {reason: rows for reason, rows in counted.most_common() if rows}

    def reasons_of(self, first: int, rows: int) -> pl.Series:
        """The reasons of consecutive rows."""
        return pl.Series(REASON, self.reasons).gather(self.codes[first : first + rows])
