"""Many rows as one sequence without padding, with shared prefixes stored once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from curate.backends.shared_prefixes import reading_order
from curate.render import Ids

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Segment:
    """The tokens of one row that no earlier row has: packed[begin:end].

    Attributes:
        shared: how many tokens of the row precede them, elsewhere in the pack.
        keys: packed positions of the whole row, int64 [shared + end - begin].
        together: whether the whole row is packed[end - len(keys):end].
    """

    begin: int
    end: int
    shared: int
    keys: np.ndarray
    together: bool


@dataclass(frozen=True)
class Pack:
    """Rows packed into one sequence of T tokens.

    Attributes:
        ids: token ids, int64 [T].
        positions: each token's position in its row, int64 [T].
        where: packed positions of each row's tokens, int64 [len(row)].
        segments: the pack divided into the rows' own tokens, in order and without gaps.
    """

    ids: np.ndarray
    positions: np.ndarray
    where: list[np.ndarray]
    segments: list[Segment]

    @cached_property
    def query_starts(self) -> list[int]:
        """Where each segment begins in the pack, then T: [segments + 1]."""
        return [0, *(one.end for one in self.segments)]

    @cached_property
    def key_starts(self) -> list[int]:
        """Where each segment's row begins in the concatenation of all rows, then its length: [segments + 1]."""
        return [0, *accumulate(len(one.keys) for one in self.segments)]

    @cached_property
    def keys(self) -> np.ndarray | None:
        """The segments' rows concatenated, as packed positions; None if that is the pack itself."""
        if not any(one.shared for one in self.segments):
            return None
        return np.concatenate([one.keys for one in self.segments])

    def at(self, wanted: Sequence[range]) -> np.ndarray:
        """Packed positions of the requested positions of each row, concatenated: int64 [sum of len(range)]."""
        found = [where[one.start : one.stop] for where, one in zip(self.where, wanted, strict=True)]
        return np.concatenate(found)


def pack(rows: Sequence[Ids]) -> Pack:
    """Pack the rows, storing common prefixes of ids once. No row may be empty."""
    where: list[np.ndarray] = [np.zeros(0, np.int64)] * len(rows)
    segments, own, last, size = [], [], where[0], 0
    for row, shared in reading_order(rows):
        new = len(rows[row]) - shared
        last = where[row] = np.concatenate([last[:shared], np.arange(size, size + new)])
        if new:
            together = bool(last[-1] - last[0] == len(last) - 1)
            segments.append(Segment(size, size + new, shared, last, together))
            own.append(rows[row][shared:])
            size += new
    positions = np.concatenate([np.arange(one.shared, len(one.keys)) for one in segments])
    return Pack(np.concatenate([np.array(ids, np.int64) for ids in own]), positions, where, segments)


def to_device(array: np.ndarray, device: str) -> torch.Tensor:
    """The array as a tensor; copying to a GPU does not block."""
    import torch

    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.startswith("cuda") else tensor
