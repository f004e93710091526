"""Prompts with all their responses, streamed in chunks; a prompt's rows can be anywhere in the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from curate.responses.measure import Numbers
from curate.responses.table import MEASURED, Staged
from curate.schema import MODEL, REWARD, TRUNCATED

CHUNK_SLOTS = 16_384


@dataclass(frozen=True)
class Pool:
    """One prompt's responses.

    Attributes:
        prompt: the prompt's number.
        row: the first row with this prompt.
        slots: slots of its responses, by position, int64 [n].
        given: slots of the pairs that the data names, int64 [pairs, 2].
    """

    prompt: int
    row: int
    slots: np.ndarray
    given: np.ndarray


@dataclass(frozen=True)
class Pools:
    """All pools of the staged data.

    Attributes:
        staged: the data.
        merge_equal: whether equal texts share a position. True for pairs, where a response may be in several; false for
            candidates, whose positions are those of the data's own list.
    """

    staged: Staged
    merge_equal: bool

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self.staged.prompts, kind="stable")

    @cached_property
    def _bounds(self) -> np.ndarray:
        sizes = np.bincount(self.staged.prompts)
        return np.concatenate([[0], np.cumsum(sizes)])

    @property
    def size(self) -> int:
        """The number of prompts."""
        return int(self._bounds.size - 1)

    @property
    def has_given(self) -> bool:
        """Whether the data names pairs."""
        return bool((self.staged.pairs[:, 0] >= 0).any())

    def chunks(self) -> Iterator[list[Pool]]:
        """All pools in order of first appearance, a few thousand responses at a time; every call cuts alike."""
        chunk: list[Pool] = []
        slots = 0
        for prompt in range(self.size):
            pool = self._pool(prompt)
            if chunk and slots + pool.slots.size > CHUNK_SLOTS:
                yield chunk
                chunk, slots = [], 0
            chunk.append(pool)
            slots += pool.slots.size
        if chunk:
            yield chunk

    def _pool(self, prompt: int) -> Pool:
        starts = self.staged.first_slots
        rows = self._order[self._bounds[prompt] : self._bounds[prompt + 1]]
        slots = np.concatenate([np.arange(starts[row], starts[row + 1]) for row in rows])
        if self.merge_equal:
            # Equal texts of a prompt are named after the first of them, which is one of these slots.
            slots = np.unique(self.staged.names[slots])
        named = rows[self.staged.pairs[rows, 0] >= 0]
        return Pool(prompt, int(rows[0]), slots, starts[named][:, None] + self.staged.pairs[named])

    def texts(self, pools: list[Pool]) -> dict[int, str]:
        """The text of every slot of these pools."""
        return {
            slot: text for _, first, texts in self._read(pools, "responses") for slot, text in enumerate(texts, first)
        }

    def models(self, pools: list[Pool]) -> dict[int, str | None]:
        """The model that wrote the response of every slot of these pools; empty if the data does not say."""
        if not self.names_models:
            return {}
        found = self._read(pools, MEASURED + MODEL)
        return {slot: name for _, first, names in found for slot, name in enumerate(names or [], first)}

    @cached_property
    def names_models(self) -> bool:
        """Whether the data says anywhere which model wrote a response."""
        return any(MEASURED + MODEL in self.staged.records.schema(path).names for path in self.staged.records.paths())

    def prompts(self, pools: list[Pool]) -> dict[int, str]:
        """The prompt of every first row of these pools, in canonical spelling."""
        return {row: text for row, _, text in self._read(pools, "prompt")}

    def _read(self, pools: list[Pool], column: str) -> Iterator[tuple[int, int, Any]]:
        """(row, first slot, value) of every row of these pools; opens only the shards it needs."""
        staged, starts = self.staged, self.staged.first_slots
        first, last = pools[0].prompt, pools[-1].prompt + 1
        rows = np.sort(self._order[self._bounds[first] : self._bounds[last]])
        for number, inside in staged.by_shard(rows):
            path = staged.records.paths()[number]
            if column not in staged.records.schema(path).names:
                continue
            held = staged.records.table(path, [column])[column]
            values = held.take(inside - staged.shard_starts[number]).to_pylist()
            yield from ((int(row), int(starts[row]), value) for row, value in zip(inside, values, strict=True))


def merged(numbers: Numbers, names: np.ndarray) -> tuple[Numbers, int]:
    """Reduce several values per response to one: the mean of rewards, the first value of any other field.

    Returns:
        The numbers, and how many responses had conflicting rewards.
    """
    conflicting = np.zeros(names.size, bool)
    found: Numbers = {}
    for name, values in numbers.items():
        known = np.isfinite(values)
        first = np.full(names.size, np.nan)
        first[names[known][::-1]] = values[known][::-1]
        found[name] = first[names]
        if name.startswith(REWARD.name):
            sums = np.bincount(names[known], values[known], minlength=names.size)
            counts = np.maximum(np.bincount(names[known], minlength=names.size), 1)
            differ = np.zeros(names.size, bool)
            differ[names[known & (values != found[name])]] = True
            # If all agree, keep the value itself: the mean of equal numbers may differ in the last bit.
            found[name] = np.where(differ[names], (sums / counts)[names], found[name])
            conflicting |= differ
    return found, int(conflicting.sum())


def may_be_chosen(staged: Staged, numbers: Numbers, allow_truncated: bool) -> np.ndarray:
    """Whether each slot may be chosen: not cut at a length limit, unless that is allowed. bool [slots]."""
    if allow_truncated:
        return np.ones(staged.names.size, bool)
    return ~is_cut(staged, numbers)


def is_cut(staged: Staged, numbers: Numbers) -> np.ndarray:
    """Whether each slot's response was cut, when it was generated or when it was measured: bool [slots]."""
    cut: np.ndarray = staged.cut | (numbers.get(TRUNCATED.name, np.zeros(staged.names.size)) == 1.0)
    return cut
