"""Rows whose prompt holds an evaluation's prompt: training on them makes the evaluation's result worthless.

An evaluation's prompt has leaked into a message of a row's prompt if runs of 8 words that both hold cover at least half
of its words, as for Tulu 3 (arXiv 2411.15124, section 3.2). One of fewer than 8 words must be the whole message.
Paraphrases and translations are not found, nor what a response gives away; an evaluation that begins each prompt with
the same long instruction flags rows that have that instruction alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from curate.errors import InputError, RowError
from curate.hygiene import Again, Found, Rows
from curate.hygiene.words import words_of
from curate.readers import Source, first_rows
from curate.readers.prompts import prompts_layout
from curate.schema import Message

GRAM = 8
COVERED = 0.5
CHUNK_ROWS = 4096


class Leaks:
    """The flag `leaked`.

    Attributes:
        by_name: rows by the name of the evaluation that leaked into them, as it was given.

    Args:
        evaluations: the prompts of each evaluation, by its name.
    """

    def __init__(self, evaluations: Iterable[tuple[str, Iterable[Sequence[Message]]]]) -> None:
        self.by_name: Counter[str] = Counter()
        self._names: list[str] = []
        self._sizes: list[int] = []
        self._grams: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._short: dict[str, int] = {}
        self._rows: list[bool] = []
        for name, prompts in evaluations:
            for prompt in prompts:
                self._add(name, prompt[-1]["content"])

    def _add(self, name: str, text: str) -> None:
        words = words_of(text)
        if not words:
            return
        number = len(self._names)
        self._names.append(name)
        self._sizes.append(len(words))
        if len(words) < GRAM:
            self._short.setdefault(" ".join(words), number)
        for place, gram in enumerate(_grams(words)):
            self._grams[gram].append((number, place))

    def read(self, rows: Rows) -> None:
        """Search the prompt of each row."""
        for prompt in rows.prompts:
            names = {self._names[i] for message in prompt for i in self._leaked(message["content"])}
            self.by_name.update(names)
            self._rows.append(bool(names))

    def _leaked(self, text: str) -> list[int]:
        """The numbers of the evaluation prompts that this text holds."""
        words = words_of(text)
        if len(words) < GRAM:
            short = self._short.get(" ".join(words))
            return [] if short is None else [short]
        covered: dict[int, set[int]] = defaultdict(set)
        for gram in dict.fromkeys(_grams(words)):
            for number, place in self._grams.get(gram, ()):
                covered[number].update(range(place, place + GRAM))
        return [number for number, places in covered.items() if len(places) >= COVERED * self._sizes[number]]

    def found(self, again: Again) -> Found:
        """What was found while reading."""
        return {"leaked": np.array(self._rows, bool)}


def _grams(words: list[str]) -> Iterable[str]:
    return map(" ".join, zip(*(words[i:] for i in range(GRAM)), strict=False))


def evaluation_prompts(source: Source) -> list[Sequence[Message]]:
    """The prompts of an evaluation; rows without one are left out.

    Raises:
        InputError: no row has a prompt.
    """
    layout = prompts_layout(first_rows(source))
    prompts: list[Sequence[Message]] = []
    for chunk in source.chunks(CHUNK_ROWS):
        for row in chunk.rows:
            try:
                prompts.append(layout.parse(row).prompt)
            except RowError:
                continue
    if not prompts:
        raise InputError("No row has a prompt to compare with.", source.name, "Give prompts, pairs or candidates.")
    return prompts
