"""The language of prompts and responses, by the package lingua.

Read are the first 200 characters of the prompt's last message and of each response, without blocks of code. A text is
of no language unless the likeliest is clearly ahead of the next: short texts, code, formulas and mixtures. Languages
that lingua takes for one another count as one. A prompt that asks for a translation, or for an answer in another
language, has a response in another language and is flagged for it.

lingua's models are part of its package (96 MB). To open those of all languages takes 8 seconds and 0.9 GB of memory;
then a core reads about 700 texts per second. Its mode of low accuracy opens at once and takes 0.1 GB. It reads no
faster, and takes 14 of 1,500 English responses and 27 of 805 English prompts for another language; this one 3 and 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from curate.errors import MissingExtra
from curate.hygiene import Again, Found, Rows

READ_CHARACTERS = 200
CLEARLY_AHEAD = 0.25
CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
NEVER_SPOKEN = ("LATIN", "ESPERANTO")
"""Rarer in such data than Romance texts taken for them."""
ALIKE = (
    ("BOKMAL", "NYNORSK", "DANISH"),
    ("BOSNIAN", "CROATIAN", "SERBIAN"),
    ("INDONESIAN", "MALAY"),
    ("CZECH", "SLOVAK"),
    ("SOTHO", "TSWANA"),
    ("XHOSA", "ZULU"),
)
UNKNOWN = ""
UNCLEAR = 0
"""The code of UNKNOWN."""


class Languages:
    """Flags: `language_mismatch`, `other_language`.

    Args:
        among: the languages that a text may be in, as lingua names them; all by default.

    Raises:
        MissingExtra: lingua is not installed.
    """

    def __init__(self, among: Sequence[str] = ()) -> None:
        self._detector = _detector(among)
        self._codes: dict[str, int] = {UNKNOWN: UNCLEAR}
        self._pieces: list[np.ndarray] = []

    def read(self, rows: Rows) -> None:
        """Detect the language of each row's prompt and of its responses."""
        prompts = [prompt[-1]["content"] if prompt else "" for prompt in rows.prompts]
        of_prompts, of_responses = (self._coded(self.of(texts)) for texts in (prompts, rows.flat))
        self._pieces.append(_of_rows(of_prompts, of_responses, rows))

    def _coded(self, names: Sequence[str]) -> np.ndarray:
        return np.array([self._codes.setdefault(name, len(self._codes)) for name in names], np.uint8)

    def of(self, texts: Sequence[str]) -> list[str]:
        """The language of each text as lingua names it, `UNKNOWN` where it is not clear."""
        starts = [CODE.sub(" ", text[: 4 * READ_CHARACTERS]).strip()[:READ_CHARACTERS] for text in texts]
        different = list(dict.fromkeys(starts))
        found = self._detector.detect_languages_in_parallel_of(different)
        named = [UNKNOWN if one is None else _FIRST_ALIKE.get(one.name, one.name) for one in found]
        by_start = dict(zip(different, named, strict=True))
        return [by_start[start] for start in starts]

    def found(self, again: Again) -> Found:
        """Compare the texts of each row, and each prompt with the language of most rows."""
        if not self._pieces:
            return {}
        lowest, highest, first_known = np.concatenate(self._pieces).T
        counts = np.bincount(first_known, minlength=len(self._codes))
        usual = min(range(1, len(counts)), key=lambda code: -counts[code], default=0)
        return {
            "language_mismatch": (highest != lowest) & (highest > 0),
            "other_language": (first_known != usual) & (first_known > 0),
        }


def _of_rows(prompts: np.ndarray, responses: np.ndarray, rows: Rows) -> np.ndarray:
    """The smallest, the largest and the first language of each row, prompt first; 0 where none is clear: [rows, 3]."""
    texts = np.insert(responses, rows.starts, prompts)
    starts = rows.starts + np.arange(len(rows))
    known = np.where(texts == UNCLEAR, np.iinfo(np.uint8).max, texts)
    places = np.where(texts == UNCLEAR, texts.size, np.arange(texts.size))
    first = np.append(texts, np.uint8(UNCLEAR))[np.minimum.reduceat(places, starts)]
    return np.stack([np.minimum.reduceat(known, starts), np.maximum.reduceat(texts, starts), first], axis=1)


_FIRST_ALIKE = {name: group[0] for group in ALIKE for name in group}


def _detector(among: Sequence[str]) -> Any:
    try:
        from lingua import Language, LanguageDetectorBuilder
    except ImportError as error:
        raise MissingExtra("lingua-language-detector", "hygiene") from error
    spoken = [one for one in Language.all() if one.name not in NEVER_SPOKEN and (not among or one.name in among)]
    builder = LanguageDetectorBuilder.from_languages(*sorted(spoken, key=lambda one: one.name))
    return builder.with_minimum_relative_distance(CLEARLY_AHEAD).build()
