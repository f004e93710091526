"""Exact duplicates: rows, prompts, responses to several prompts, and pairs that another row contradicts.

Texts are equal here if they differ in nothing but case, spacing and compatible characters (NFKC), so code whose
indentation or case matters may count as equal. The first of several equal rows is never flagged; a contradiction, which
says nothing about which row is right, flags all of them. A response repeats only if it has 5 words or more: a shorter
one, such as "Yes.", answers many prompts rightly. Candidates are duplicates if all of them are, in the same order; they
prefer nothing, so that only pairs contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from curate.hashing import text_hash
from curate.hygiene import Again, Found, Rows
from curate.hygiene.words import plain, words_of
from curate.schema import Message
from curate.tokens.tools import response_text

LEAST_WORDS = 5
COLUMNS = ("prompt", "chosen", "rejected")
HELD: dict[str, Any] = {"prompt": pl.Binary, "texts": pl.List(pl.Binary), "long": pl.List(pl.Boolean)}


class Duplicates:
    """Flags: `duplicate`, `duplicate_prompt`, `repeated_response`, `contradiction`."""

    def __init__(self) -> None:
        self._pieces: list[pl.DataFrame] = []

    def read(self, rows: Rows) -> None:
        """Keep a 128-bit hash of each text."""
        columns = {
            "prompt": [prompt_hash(prompt) for prompt in rows.prompts],
            "texts": [[text_hash(plain(text)) for text in texts] for texts in rows.responses],
            "long": [[len(words_of(text)) >= LEAST_WORDS for text in texts] for texts in rows.responses],
        }
        self._pieces.append(pl.DataFrame(columns, schema=HELD))

    def found(self, again: Again) -> Found:
        """Compare the hashes."""
        if not self._pieces:
            return {}
        rows = pl.concat(self._pieces).with_columns(
            chosen=pl.col("texts").list.get(0, null_on_oob=True), rejected=pl.col("texts").list.get(1, null_on_oob=True)
        )
        reversed_ = rows.select("prompt", chosen="rejected", rejected="chosen").unique()
        differing = pl.col("chosen") != pl.col("rejected")
        against = rows.join(reversed_.with_columns(against=True), on=COLUMNS, how="left", maintain_order="left")
        return {
            "duplicate": _later(rows, ("prompt", "texts")),
            "duplicate_prompt": _later(rows, ("prompt",)),
            "repeated_response": _repeated(rows),
            "contradiction": against.select(pl.col("against").fill_null(False) & differing).to_series().to_numpy(),
        }


def prompt_hash(prompt: Sequence[Message]) -> bytes:
    """128 bits shared by prompts that differ in nothing but case, spacing and compatible characters."""
    return text_hash(*(part for message in prompt for part in (message["role"], plain(response_text(message)))))


def _later(rows: pl.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    """All but the first of the rows that are equal in these columns."""
    later: np.ndarray = (~rows.select(pl.struct(columns).is_first_distinct()).to_series()).to_numpy()
    return later


def _repeated(rows: pl.DataFrame) -> np.ndarray:
    """Rows with a response that first answered another prompt."""
    texts = rows.with_row_index("row").select("row", "prompt", "texts", "long").explode("texts", "long").filter("long")
    elsewhere = texts.filter(pl.col("prompt") != pl.col("prompt").first().over("texts"))
    repeated = np.zeros(rows.height, bool)
    repeated[elsewhere["row"].to_numpy()] = True
    return repeated
