"""Runs many texts through a tokenizer of the `tokenizers` library, fast."""

from __future__ import annotations

import json
import os
import re
import string
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.tokens.lists import Cuts, TokenLists, by_pieces, concatenated, cuts, joined

LETTER, DIGIT, MARK, APOSTROPHE, SPACE, BREAK = range(6)
MARKS = "".join(sorted(set(string.punctuation) - {"'"}))
CLASSES = (string.ascii_letters, string.digits, MARKS, "'", " ", "\t\n\r")
# In every known pattern a match continues after an ASCII letter, digit or mark in one of these ways only: letters with
# letters, digits with digits, marks with marks, letters or line breaks, and an apostrophe with letters. The one
# look-ahead, at the end of white space, stays whole, because nothing is cut after white space.
KNOWN_CUTS = (
    (LETTER, DIGIT),
    (LETTER, MARK),
    (LETTER, SPACE),
    (LETTER, BREAK),
    (DIGIT, LETTER),
    (DIGIT, MARK),
    (DIGIT, SPACE),
    (DIGIT, BREAK),
    (MARK, DIGIT),
    (MARK, SPACE),
    (APOSTROPHE, SPACE),
)
PATTERN_CUTS = cuts(CLASSES, KNOWN_CUTS)
# In GPT-2's pattern, which the byte-level step uses, marks continue with marks only.
BYTE_LEVEL_CUTS = cuts(CLASSES, (*KNOWN_CUTS, (MARK, LETTER), (MARK, BREAK)))
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
KNOWN_PATTERNS = {CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits + TAIL for digits in (r"\p{N}{1,3}", r"\p{N}")}
"""How the tokenizers of Llama 3 and Qwen 2, and their successors, split texts before merging bytes."""
CHECKED_TEXTS = 64
PARALLELISM, NO_THREADS = "TOKENIZERS_PARALLELISM", {"", "off", "false", "f", "no", "n", "0"}
# Pieces by what precedes them in one long text, so that they can be cut off again on both sides.
ALONE, AS_IS, AFTER_DIGIT, AFTER_LETTER = range(4)
FILLERS = ("", "", " 0", " a")
BLOCK_SEGMENTS = 256
_KIND_BY_FIRST = np.full(256, ALONE, np.uint8)
_KIND_BY_FIRST[[*b" "]] = AS_IS
_KIND_BY_FIRST[[*string.ascii_letters.encode()]] = AFTER_DIGIT
_KIND_BY_FIRST[[*(MARKS + string.digits + "\t\n\r").encode()]] = AFTER_LETTER
_MAY_BE_LAST = np.zeros(256, bool)
_MAY_BE_LAST[[*(string.ascii_letters + string.digits + string.punctuation).encode()]] = True


def _kinds(pieces: pa.StringArray) -> np.ndarray:
    """What must precede each piece (none is empty); uint8 [n]."""
    _, starts, text = pieces.buffers()
    offsets = np.frombuffer(starts, np.int32)[pieces.offset : pieces.offset + len(pieces) + 1]
    data = np.frombuffer(text, np.uint8)
    kinds: np.ndarray = np.where(_MAY_BE_LAST[data[offsets[1:] - 1]], _KIND_BY_FIRST[data[offsets[:-1]]], ALONE)
    return kinds


class PieceEncoder:
    """Tokenises many texts, and equal pieces of them only once if that is sure to give the same ids.

    Args:
        backend: must neither truncate nor pad.
        whole: gives the ids of whole texts, if that takes more than asking the backend.
    """

    def __init__(self, backend: Any, whole: Callable[[Sequence[str]], list[list[int]]] | None = None) -> None:
        self._backend = backend
        self._whole = whole or self.encode
        self._cuts = _cuts_of(backend)
        self._checked = False
        self._bytes = np.zeros(0, np.int64)
        added = [token.content for token in backend.get_added_tokens_decoder().values()]
        self._added = re.compile("|".join(map(re.escape, added))) if added else None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, tokenised whole, without added special tokens."""
        with _on_all_cores():
            return [one.ids for one in self._backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    def encode_lists(self, texts: Sequence[str]) -> TokenLists:
        """The same ids."""
        if self._cuts is None:
            return joined(self._whole(texts))
        safe = np.array([self._may_be_cut(text) for text in texts], bool)
        whole, in_pieces = np.flatnonzero(~safe).tolist(), np.flatnonzero(safe).tolist()
        found = by_pieces([texts[i] for i in in_pieces], self._cuts, self._encode_pieces)
        if not self._same(found, [texts[i] for i in in_pieces[:CHECKED_TEXTS]]):
            self._cuts = None
            return joined(self._whole(texts))
        if not whole:
            return found
        both = concatenated([found, joined(self._whole([texts[i] for i in whole]))])
        return both.take(np.argsort(in_pieces + whole))

    def _encode_pieces(self, pieces: pa.StringArray) -> TokenLists:
        """Ids of each piece. One call per word would be slow, so many pieces are joined into one text."""
        kinds = _kinds(pieces)
        order = np.argsort(kinds, kind="stable")
        parts = [pieces.filter(kinds == kind) for kind in range(len(FILLERS))]
        alone = joined(self.encode(parts[ALONE].to_pylist()))
        segments = pa.concat_arrays(
            [pc.binary_join_element_wise(FILLERS[k], parts[k], "") for k in range(len(FILLERS)) if k != ALONE]
        )
        cuts = np.append(np.arange(0, len(segments), BLOCK_SEGMENTS), len(segments)).astype(np.int32)
        blocks = pc.binary_join(pa.ListArray.from_arrays(cuts, segments), "").to_pylist()
        ids = joined(self.encode(blocks)).ids
        # Start and end of each piece, in bytes of all blocks; the fillers are in between.
        ends = np.cumsum(pc.binary_length(segments).to_numpy(), dtype=np.int64)
        starts = ends - pc.binary_length(pieces).to_numpy()[order][alone.sizes.size :]
        wanted = np.stack([starts, ends], axis=1).ravel()
        token_ends = np.cumsum(self._bytes_of(ids))
        places = np.searchsorted(token_ends, wanted, side="right")
        if not np.array_equal(np.append(0, token_ends)[places], wanted):
            return joined(self.encode(pieces.to_pylist()))
        fit = TokenLists(ids, np.append(0, places)).take(np.arange(1, places.size, 2))
        return concatenated([alone, fit]).take(np.argsort(order))

    def _bytes_of(self, ids: np.ndarray) -> np.ndarray:
        """The length of each token: byte-level vocabularies spell every byte as one character. int64 [n]."""
        size = int(ids.max(initial=-1)) + 1
        if size > self._bytes.size:
            self._bytes = np.append(self._bytes, np.full(size - self._bytes.size, -1))
        for token in np.unique(ids[self._bytes[ids] < 0]).tolist():
            self._bytes[token] = len(self._backend.id_to_token(token))
        found: np.ndarray = self._bytes[ids]
        return found

    def _may_be_cut(self, text: str) -> bool:
        """Whether nothing in the text is matched before it is split, or changed by normalisation."""
        if self._added is not None and self._added.search(text):
            return False
        return text.isascii() or unicodedata.is_normalized("NFC", text)

    def _same(self, found: TokenLists, texts: list[str]) -> bool:
        """Whether the first texts, tokenised whole, have the same ids as their pieces gave; checked once."""
        if self._checked or not texts:
            return True
        self._checked = True
        return found.take(np.arange(len(texts))).lists() == self._whole(texts)


@contextmanager
def _on_all_cores() -> Iterator[None]:
    """Let the library use threads, whatever the variable that protects forking programs says: nothing forks here.

    Python's own threads would take twice as long for words that are new to them.
    """
    before = os.environ.get(PARALLELISM)
    if before is None or before.lower() not in NO_THREADS:
        yield
        return
    os.environ[PARALLELISM] = "true"
    try:
        yield
    finally:
        os.environ[PARALLELISM] = before


def _cuts_of(backend: Any) -> Cuts | None:
    """Where this tokenizer's texts can be cut; None if that is not certain."""
    parts = json.loads(backend.to_str())
    normalizer, before, model = parts["normalizer"], parts["pre_tokenizer"], parts["model"]
    if normalizer not in (None, {"type": "NFC"}) or model.get("type") != "BPE" or model.get("dropout"):
        return None
    if not before or model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        return None
    steps = before["pretokenizers"] if before["type"] == "Sequence" else [before]
    *split, last = steps
    if last["type"] != "ByteLevel" or last["add_prefix_space"] or last.get("use_regex", True) == bool(split):
        return None
    known = [one["type"] == "Split" and one["pattern"].get("Regex") in KNOWN_PATTERNS for one in split]
    cut = [one.get("behavior") == "Isolated" and not one.get("invert") for one in split]
    if len(split) > 1 or not all(known) or not all(cut):
        return None
    return PATTERN_CUTS if split else BYTE_LEVEL_CUTS
