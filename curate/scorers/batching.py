"""Cut rows into batches: under a token budget, packed or padded, halved if the device runs out of memory."""

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
"""vLLM batches by itself, and does better the more rows it has."""


def writing_budget(backend: GenerationBackend, *, cpu: int, gpu: int) -> int:
    """Tokens of prompts and responses to give to a model that generates, from what it says about itself.

    Args:
        backend: the model.
        cpu: a good value for PyTorch on a CPU.
        gpu: the same on a GPU.
    """
    facts, most = backend.facts(), backend.cached_tokens
    budget = gpu if facts.get("device") in ("cuda", "server") else cpu
    if facts.get("backend") in ("vllm", "server"):
        return budget * VLLM_TIMES
    return budget if most is None else min(budget, most)


def packed_batches(rows: Sequence[Ids], budget: int) -> list[list[int]]:
    """Positions of the rows, batched for a backend that packs: rows that begin alike are together.

    A batch costs the tokens of its rows, without what a row shares with the one before it, and stays within the budget.
    If one row alone costs more, a quarter is added for it: otherwise other responses to a prompt longer than the budget
    would have the prompt read again for each. The same rows always give the same batches.

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
    """Positions of the rows, batched for padding, longest first.

    A batch contains rows of similar length: (its longest row) x (its rows) stays within the budget, unless a single row
    exceeds it. Longest first, so that a batch too large for the memory fails early. Rows of equal length keep their
    order, so the same rows always give the same batches.

    Args:
        lengths: tokens of each row.
        budget: padded tokens of one batch.
        one_length: whether only rows of equal length may share a batch.
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
    """Run the rows together; if the device's memory is too small, in halves.

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
