"""Near-duplicates: rows, or prompts, that an earlier row nearly repeats; by MinHash, from the package rensa.

Two texts are near if they share 80% of their runs of three words (Jaccard similarity). A prompt is compared in two
parts, its last message and what precedes it, and a response is another part; rows are near if every part is. So a long
system prompt in common makes no two questions near, but a long template inside the question may ("Summarise the
following text: ..." with a short text). The similarity is estimated from 128 hashes, with a standard error of 3.5
points at the threshold; paraphrases are not found. An exact duplicate is a near-duplicate too.

Rows are taken in their order, each compared with the earlier ones that were not flagged themselves: what is left after
dropping the flagged rows holds no near-duplicates, and every dropped row has a near one that is kept. Of rows that
agree in very many of their shingles without being near, each is compared with the first 50 only.

Broder (1997), On the resemblance and containment of documents; Dahlgaard, Knudsen and Thorup (2017), Fast similarity
sketching, arXiv 1704.04370, which rensa follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from curate.errors import MissingExtra
from curate.hashing import text_hash
from curate.hygiene import Again, Found, Rows
from curate.hygiene.words import plain, shingles
from curate.schema import Message
from curate.tokens.tools import response_text

NEAR = 0.8
HASHES, SEED = 128, 1
BANDS, ROWS_PER_BAND = 21, 6
"""Two texts that agree in 80% of their shingles share a band with a probability of 99.8%, at 50% with 28%."""
MOST_COMPARED = 50
MIX = np.random.default_rng(0).integers(1, 2**63, ROWS_PER_BAND, dtype=np.uint64) | np.uint64(1)

Parts = tuple[str, ...]
"""The texts of a row that must each be near to those of another."""


def prompt_parts(prompt: Sequence[Message]) -> Parts:
    """The last message of a prompt, and everything before it."""
    return prompt[-1]["content"] if prompt else "", "\n".join(response_text(message) for message in prompt[:-1])


def parts_of_prompts(rows: Rows) -> Iterable[Parts]:
    """What makes two prompts near."""
    return map(prompt_parts, rows.prompts)


def parts_of_pairs(rows: Rows) -> Iterable[Parts]:
    """What makes two pairs near."""
    for prompt, responses in zip(rows.prompts, rows.responses, strict=True):
        yield (*prompt_parts(prompt), *responses)


def parts_of_candidates(rows: Rows) -> Iterable[Parts]:
    """What makes two prompts with candidates near: all their responses together are one part."""
    for prompt, responses in zip(rows.prompts, rows.responses, strict=True):
        yield (*prompt_parts(prompt), "\n".join(responses))


class NearDuplicates:
    """One flag: `near_duplicate`, or `near_duplicate_prompt`.

    Args:
        flag: its name.
        parts: the texts of each row that must be near; as many for every row.

    Raises:
        MissingExtra: rensa is not installed.
    """

    def __init__(self, flag: str, parts: Callable[[Rows], Iterable[Parts]]) -> None:
        self._minhash = sketch_class()
        self._flag, self._parts = flag, parts
        self._exact: set[bytes] = set()
        self._same: list[np.ndarray] = []
        self._bands: list[np.ndarray] = []

    def read(self, rows: Rows) -> None:
        """Keep of each row 21 hashes (168 bytes), and of each different row one more."""
        parts = list(self._parts(rows))
        same = np.zeros(len(parts), bool)
        for i, texts in enumerate(parts):
            key = text_hash(*map(plain, texts))
            same[i] = key in self._exact
            self._exact.add(key)
        self._same.append(same)
        self._bands.append(bands_of(signatures(self._minhash, [_tagged(texts) for texts in parts])))

    def found(self, again: Again) -> Found:
        """Compare the rows that share a band with another; reads the data again if there are any."""
        if not self._bands:
            return {}
        near, bands = np.concatenate(self._same), np.concatenate(self._bands)
        compared = _sharing(bands, ~near)
        if compared.any():
            near[later_near(np.flatnonzero(compared), bands, self._signatures_at(compared, again))] = True
        return {self._flag: near}

    def _signatures_at(self, wanted: np.ndarray, again: Again) -> np.ndarray:
        """The signature of each part of these rows: uint32 [wanted rows, parts, hashes]."""
        pieces = []
        for rows in again():
            here = wanted[rows.first : rows.first + len(rows)]
            if here.any():
                parts = [texts for texts, one in zip(self._parts(rows), here.tolist(), strict=True) if one]
                flat = signatures(self._minhash, [shingles(text) for texts in parts for text in texts])
                pieces.append(flat.reshape(len(parts), -1, HASHES))
        return np.concatenate(pieces)


def sketch_class() -> Any:
    """What makes signatures of texts.

    Raises:
        MissingExtra: rensa is not installed.
    """
    try:
        from rensa import RMinHash
    except ImportError as error:
        raise MissingExtra("rensa", "hygiene") from error
    return RMinHash


def signatures(minhash: Any, shingled: list[list[str]]) -> np.ndarray:
    """The MinHash signatures of these sets of shingles: uint32 [texts, hashes]."""
    found = minhash.digest_matrix_from_token_sets(shingled, HASHES, SEED)
    return np.array(found.to_rows(), np.uint32).reshape(len(shingled), HASHES)


def _tagged(texts: Parts) -> list[str]:
    """The shingles of all parts as one set; rows whose parts are all near agree in at least as many of these."""
    return [f"{part} {shingle}" for part, text in enumerate(texts) for shingle in shingles(text)]


def bands_of(signatures: np.ndarray) -> np.ndarray:
    """One hash for each band of a signature: uint64 [texts, bands]."""
    bands = signatures[:, : BANDS * ROWS_PER_BAND].reshape(-1, BANDS, ROWS_PER_BAND).astype(np.uint64)
    mixed: np.ndarray = (bands * MIX).sum(axis=2, dtype=np.uint64)
    mixed ^= mixed >> np.uint64(29)
    return mixed


def _sharing(bands: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The rows among these that share a band with another of them: bool [rows]."""
    sharing = np.zeros(len(bands), bool)
    for column in bands[among].T:
        sharing[among] |= pl.Series(column).is_duplicated().to_numpy()
    return sharing


def later_near(
    rows: np.ndarray, bands: np.ndarray, signatures: np.ndarray, groups: np.ndarray | None = None
) -> list[int]:
    """The rows that an earlier row, not itself among them, is near to.

    Args:
        rows: the rows to compare, ascending: int64 [compared].
        bands: of all rows: uint64 [rows, bands].
        signatures: of the parts of the rows to compare: uint32 [compared, parts, hashes].
        groups: a number for each of all rows; rows of one group are not near each other, whatever their texts.
    """
    kept: dict[tuple[int, int], list[int]] = {}
    near = []
    for place, row in enumerate(rows.tolist()):
        keys = list(enumerate(bands[row].tolist()))
        others = sorted({other for key in keys for other in kept.get(key, ())})
        if groups is not None:
            others = [other for other in others if groups[rows[other]] != groups[row]]
        if others and _is_near(signatures[place], signatures[others]):
            near.append(row)
            continue
        for key in keys:
            held = kept.setdefault(key, [])
            if len(held) < MOST_COMPARED:
                held.append(place)
    return near


def _is_near(one: np.ndarray, others: np.ndarray) -> bool:
    """Whether every part of a row is near to the same part of one of the others."""
    similar = (others == one).mean(axis=2)  # others x parts
    return bool((similar >= NEAR).all(axis=1).any())
