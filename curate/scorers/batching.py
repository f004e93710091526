"""Cutting rows into batches: sorted by length, under a token budget, halved when the device's memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from curate.backends import OutOfMemory
from curate.errors import ModelError

T = TypeVar("T")
Made = TypeVar("Made")


def token_batches(lengths: Sequence[int], budget: int, *, one_length: bool = False) -> list[list[int]]:
    """Positions of the rows, batched, the longest first.

    A batch holds rows of like length: (its longest row) x (its rows) stays within the budget, unless a single row
    alone exceeds it. Longest first, so that a batch too large for the memory shows itself at once. Rows of equal
    length keep their order, so the same rows always give the same batches.

    Args:
        lengths: tokens of each row.
        budget: padded tokens of one batch.
        one_length: whether only rows of the very same length may share a batch.
    """
    batches: list[list[int]] = []
    longest = 0
    for position in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        fits = bool(batches) and longest * (len(batches[-1]) + 1) <= budget
        if fits and not (one_length and lengths[position] != longest):
            batches[-1].append(position)
        else:
            batches.append([position])
            longest = lengths[position]
    return batches


def halving(work: Callable[[Sequence[T]], list[Made]], rows: Sequence[T]) -> list[Made]:
    """Run the rows together; when the device's memory does not hold them, in halves.

    Raises:
        ModelError: not even one row fits.
    """
    try:
        return work(rows)
    except OutOfMemory as error:
        if len(rows) == 1:
            raise ModelError(
                "One response alone does not fit in the device's memory.", str(error), "Lower --max-length."
            ) from error
    middle = len(rows) // 2
    return halving(work, rows[:middle]) + halving(work, rows[middle:])
