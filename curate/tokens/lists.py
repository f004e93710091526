"""Token ids of many texts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import pyarrow as pa

BATCH_CHARACTERS = 2**19


@dataclass(frozen=True)
class TokenLists:
    """The ids of some texts, concatenated.

    Attributes:
        ids: int32 [tokens].
        starts: start of each text's ids, then the end of the last, int64 [texts + 1].
    """

    ids: np.ndarray
    starts: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Tokens of each text, int64 [texts]."""
        return np.diff(self.starts)

    def lists(self) -> list[list[int]]:
        """One list of ids per text."""
        every, starts = self.ids.tolist(), self.starts.tolist()
        return [every[start:end] for start, end in pairwise(starts)]

    def take(self, numbers: np.ndarray) -> TokenLists:
        """The texts of these numbers, in this order."""
        begins = self.starts[numbers]
        sizes = self.starts[numbers + 1] - begins
        starts = np.concatenate([[0], np.cumsum(sizes)])
        ids = self.ids[np.repeat(begins - starts[:-1], sizes) + np.arange(starts[-1])]
        return TokenLists(ids, starts)


NO_TEXTS = TokenLists(np.zeros(0, np.int32), np.zeros(1, np.int64))


def joined(lists: Sequence[Sequence[int]]) -> TokenLists:
    """Concatenate these lists."""
    sizes = np.fromiter(map(len, lists), np.int64, len(lists))
    ids = np.fromiter(chain.from_iterable(lists), np.int32, int(sizes.sum()))
    return TokenLists(ids, np.concatenate([[0], np.cumsum(sizes)]))


def concatenated(parts: Sequence[TokenLists]) -> TokenLists:
    """The texts of all parts (at least one), in order."""
    ends = np.cumsum([part.starts[-1] for part in parts])
    starts = [part.starts[1:] + end - part.starts[-1] for part, end in zip(parts, ends, strict=True)]
    return TokenLists(np.concatenate([part.ids for part in parts]), np.concatenate([[0], *starts]))


@dataclass(frozen=True)
class Cuts:
    """Where a text can be cut so that its pieces, tokenised separately, give the tokens of the whole.

    Attributes:
        classes: the class, 0 to 7, of each of the 256 bytes of UTF-8.
        allowed: 256 bytes; at 8 * class + class of the following byte, 1 where a cut between the two is allowed.
    """

    classes: bytes
    allowed: bytes

    def inside(self, text: bytes) -> np.ndarray:
        """Whether a piece may start at each byte of a UTF-8 text, without the first: bool [bytes - 1]."""
        classes = np.frombuffer(text.translate(self.classes), np.uint8)
        neighbours = classes[:-1] * np.uint8(8) + classes[1:]
        return np.frombuffer(neighbours.tobytes().translate(self.allowed), bool)


def cuts(members: Sequence[str], allowed: Sequence[tuple[int, int]]) -> Cuts:
    """Cuts by classes of ASCII characters; the class after the named ones is that of all other characters."""
    classes = bytearray([len(members)] * 256)
    for number, characters in enumerate(members):
        for byte in characters.encode("ascii"):
            classes[byte] = number
    pairs = {8 * left + right for left, right in allowed}
    return Cuts(bytes(classes), bytes(key in pairs for key in range(256)))


Encode = Callable[[pa.StringArray], TokenLists]


def by_pieces(texts: Sequence[str], where: Cuts, encode: Encode) -> TokenLists:
    """The ids of the texts, tokenising each distinct piece once: words repeat a lot.

    Args:
        texts: any texts.
        where: cuts that this tokenizer's tokens never cross.
        encode: the tokenizer; called once, with all distinct pieces.
    """
    batches = [_pieces(batch, where) for batch in _batches(texts)]
    chunks = pa.chunked_array([batch for batch, _ in batches if len(batch)], pa.string()).dictionary_encode().chunks
    known = encode(chunks[0].dictionary) if chunks else NO_TEXTS
    numbers = iter([chunk.indices.to_numpy() for chunk in chunks])
    found = [NO_TEXTS]
    for batch, starts in batches:
        tokens = known.take(next(numbers)) if len(batch) else NO_TEXTS
        found.append(TokenLists(tokens.ids, tokens.starts[starts]))
    return concatenated(found)


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in batches: arrays that fit into the processor's cache are several times as fast."""
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _pieces(texts: list[str], where: Cuts) -> tuple[pa.StringArray, np.ndarray]:
    """The pieces of all texts, and the start of each text among them, then the end of the last."""
    data = "".join(texts).encode()
    sizes = np.array([len(text) if text.isascii() else len(text.encode()) for text in texts])
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    begins = np.ones(len(data) + 1, bool)
    begins[1:-1] = where.inside(data) if len(data) > 1 else []
    begins[bounds] = True
    starts = np.flatnonzero(begins).astype(np.int32)
    pieces = pa.StringArray.from_buffers(starts.size - 1, pa.py_buffer(starts), pa.py_buffer(data))
    return pieces, np.searchsorted(starts, bounds)
