"""Cutting rows into batches: under a token budget, packed or padded, halved when the device's memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from curate.backends import GenerationBackend, OutOfMemory
from curate.backends.shared_prefixes import reading_order
from curate.errors import ModelError
from curate.render import Ids

T = TypeVar("T")
Made = TypeVar("Made")


VLLM_TIMES = 8
"""vLLM batches by itself, the better the more rows it has at hand."""


def writing_budget(backend: GenerationBackend, *, cpu: int, gpu: int) -> int:
    """Tokens of prompts and responses to hand to a model that writes, by what it says of itself.

    Args:
        backend: the model.
        cpu: what suits PyTorch on a CPU.
        gpu: the same on a GPU.
    """
    facts, most = backend.facts(), backend.cached_tokens
    budget = gpu if facts.get("device") in ("cuda", "server") else cpu
    if facts.get("backend") in ("vllm", "server"):
        return budget * VLLM_TIMES
    return budget if most is None else min(budget, most)


def packed_batches(rows: Sequence[Ids], budget: int) -> list[list[int]]:
    """Positions of the rows, batched for a backend that packs: rows that begin alike stand together.

    A batch costs the tokens of its rows, what a row shares with the one before it left out, and stays within the
    budget. Where one row alone takes more, a quarter on top of it is let in: other responses to a prompt longer than
    the budget would otherwise have it read again for each. The same rows always give the same batches.

    Args:
        rows: token ids of each row; an empty row costs nothing.
        budget: tokens of one batch.
    """
    batches: list[list[int]] = []
    used = longest = 0
    for position, shared in reading_order(rows):
        length = len(rows[position])
        if batches and used + length - shared <= max(budget, longest + longest // 4):
            batches[-1].append(position)
            used, longest = used + length - shared, max(longest, length)
        else:
            batches.append([position])
            used = longest = length
    return batches


def token_batches(lengths: Sequence[int], budget: int, *, one_length: bool = False) -> list[list[int]]:
    """Positions of the rows, batched for padding, the longest first.

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
