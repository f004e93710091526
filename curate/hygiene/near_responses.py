"""Near-duplicate responses: those that nearly repeat an earlier response to another prompt; by MinHash, as for rows.

A model that learns from them learns a stock answer, whatever was asked. Two responses are near if they share 80% of
their runs of three words, as in `near_duplicates.py`, with the same estimate and the same limits; only responses of 5
words or more count. Responses to one prompt are never compared: candidates, and pairs that share a prompt, may well be
alike. Equal texts are near, and the first of several near ones is not flagged.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from curate.hashing import text_hash
from curate.hygiene import Again, Found, Rows
from curate.hygiene.duplicates import LEAST_WORDS, prompt_hash
from curate.hygiene.near_duplicates import bands_of, later_near, signatures, sketch_class
from curate.hygiene.words import plain, shingles, words_of


class NearResponses:
    """The flag `near_duplicate_response`.

    Raises:
        MissingExtra: rensa is not installed.
    """

    def __init__(self) -> None:
        self._minhash = sketch_class()
        self._rows = 0
        self._numbers: dict[bytes, int] = {}
        self._first: dict[bytes, int] = {}
        self._held: list[pl.DataFrame] = []
        self._bands: list[np.ndarray] = []

    def read(self, rows: Rows) -> None:
        """Keep of each long response 21 hashes (168 bytes), its row and its prompt."""
        found, texts = [], []
        for place, (prompt, responses) in enumerate(zip(rows.prompts, rows.responses, strict=True), rows.first):
            number = self._numbers.setdefault(prompt_hash(prompt), len(self._numbers))
            for text in filter(_long, responses):
                first = self._first.setdefault(text_hash(plain(text)), number)
                found.append((place, number, first != number))
                texts.append(text)
        self._rows += len(rows)
        self._held.append(pl.DataFrame(found, {"row": pl.Int64, "prompt": pl.Int64, "near": pl.Boolean}, orient="row"))
        self._bands.append(bands_of(signatures(self._minhash, list(map(shingles, texts)))))

    def found(self, again: Again) -> Found:
        """Compare the responses that share a band with one to another prompt; reads the data again if there are any."""
        if not self._held:
            return {}
        held, bands = pl.concat(self._held), np.concatenate(self._bands)
        near, prompts = held["near"].to_numpy().copy(), held["prompt"].to_numpy()
        compared = _sharing(bands, prompts, ~near)
        if compared.any():
            near[later_near(np.flatnonzero(compared), bands, self._signatures_at(compared, again), prompts)] = True
        rows = np.zeros(self._rows, bool)
        rows[held["row"].to_numpy()[near]] = True
        return {"near_duplicate_response": rows}

    def _signatures_at(self, wanted: np.ndarray, again: Again) -> np.ndarray:
        """The signatures of these responses: uint32 [wanted responses, 1, hashes]."""
        pieces, done = [], 0
        for rows in again():
            texts = list(filter(_long, rows.flat))
            here = wanted[done : done + len(texts)].tolist()
            done += len(texts)
            shingled = [shingles(text) for text, compared in zip(texts, here, strict=True) if compared]
            pieces.append(signatures(self._minhash, shingled))
        return np.concatenate(pieces)[:, None]


def _long(text: str) -> bool:
    return len(words_of(text)) >= LEAST_WORDS


def _sharing(bands: np.ndarray, prompts: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The responses among these that share a band with one of them to another prompt: bool [responses]."""
    sharing = np.zeros(len(bands), bool)
    of = pl.Series(prompts[among])
    for column in bands[among].T:
        frame = pl.DataFrame({"band": column, "prompt": of})
        differ = pl.col("prompt").min().over("band") != pl.col("prompt").max().over("band")
        sharing[among] |= frame.select(differ).to_series().to_numpy()
    return sharing
