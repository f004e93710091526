"""Exact duplicates: rows, prompts, responses to several prompts, and pairs that another row contradicts.

Texts are equal here if they differ in nothing but case, spacing and compatible characters (NFKC), so code whose
indentation or case matters may count as equal. The first of several equal rows is never flagged; a contradiction, which
says nothing about which row is right, flags all of them. A response repeats only if it has 5 words or more: a shorter
one, such as "Yes.", answers many prompts rightly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from curate.hashing import text_hash
from curate.hygiene import Again, Found, Pairs
from curate.hygiene.words import plain, words_of
from curate.schema import Message
from curate.tokens.tools import response_text

LEAST_WORDS = 5
COLUMNS = ("prompt", "chosen", "rejected")


class Duplicates:
    """Flags: `duplicate`, `duplicate_prompt`, `repeated_response`, `contradiction`."""

    def __init__(self) -> None:
        self._pieces: list[pl.DataFrame] = []

    def read(self, pairs: Pairs) -> None:
        """Keep a 128-bit hash of each text: 48 bytes per row."""
        columns = {"prompt": pl.Series([_prompt_hash(prompt) for prompt in pairs.prompts], dtype=pl.Binary)}
        for side, texts in (("chosen", pairs.chosen), ("rejected", pairs.rejected)):
            long = [len(words_of(text)) >= LEAST_WORDS for text in texts]
            columns[side] = pl.Series([text_hash(plain(text)) for text in texts], dtype=pl.Binary)
            columns[f"long_{side}"] = pl.Series(long, dtype=pl.Boolean)
        self._pieces.append(pl.DataFrame(columns))

    def found(self, again: Again) -> Found:
        """Compare the hashes."""
        if not self._pieces:
            return {}
        rows = pl.concat(self._pieces)
        reversed_ = rows.select("prompt", chosen="rejected", rejected="chosen").unique()
        differing = pl.col("chosen") != pl.col("rejected")
        against = rows.join(reversed_.with_columns(against=True), on=COLUMNS, how="left", maintain_order="left")
        return {
            "duplicate": _later(rows, COLUMNS),
            "duplicate_prompt": _later(rows, ("prompt",)),
            "repeated_response": _repeated(rows),
            "contradiction": against.select(pl.col("against").fill_null(False) & differing).to_series().to_numpy(),
        }


def _prompt_hash(prompt: Sequence[Message]) -> bytes:
    return text_hash(*(part for message in prompt for part in (message["role"], plain(response_text(message)))))


def _later(rows: pl.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    """All but the first of the rows that are equal in these columns."""
    later: np.ndarray = (~rows.select(pl.struct(columns).is_first_distinct()).to_series()).to_numpy()
    return later


def _repeated(rows: pl.DataFrame) -> np.ndarray:
    """Rows with a response that first answered another prompt."""
    numbered = rows.with_row_index("row")
    sides = [numbered.filter(f"long_{side}").select("row", "prompt", text=side) for side in ("chosen", "rejected")]
    texts = pl.concat(sides).sort("row", maintain_order=True)
    elsewhere = texts.filter(pl.col("prompt") != pl.col("prompt").first().over("text"))
    repeated = np.zeros(rows.height, bool)
    repeated[elsewhere["row"].to_numpy()] = True
    return repeated
