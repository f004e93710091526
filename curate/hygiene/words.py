"""Words and shingles of texts, for comparing texts whatever their case, spacing and width of characters."""

from __future__ import annotations

import re
import unicodedata

SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Scripts that are written without spaces, whose characters each count as a word: Thai to Khmer, kana and Han."""
WORD = re.compile(rf"[{SPACELESS}]|[^\W{SPACELESS}]+")
SHINGLE = 3


def plain(text: str) -> str:
    """The text without differences of case, spacing and compatible characters (NFKC)."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def words_of(text: str) -> list[str]:
    """The words of a text, punctuation left out."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def shingles(text: str) -> list[str]:
    """Every run of three words; a text with fewer words is one shingle, an empty text none."""
    words = words_of(text)
    if len(words) >= SHINGLE:
        return list(map(" ".join, zip(*(words[i:] for i in range(SHINGLE)), strict=False)))
    whole = " ".join(words) or plain(text)
    return [whole] if whole else []
