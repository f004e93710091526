"""A backend without a model: numbers come from a hash, so that every path runs without torch.

Deterministic, equal on every machine, and sensitive to every token: good for rehearsing a run and for tests, and for
nothing else. Written `fake:SEED` wherever a model is named.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from curate.backends import Also, ModelSpec, Reading, Sample, Sampling
from curate.model import FAKE
from curate.render import Ids, Rendered
from curate.schema import Message

PIECE = re.compile(r"\w+|[^\w\s]|\s")
END = "\n"
SAYINGS = (
    "yes",
    "no",
    "the",
    "a",
    "fox",
    "dog",
    "hen",
    "runs",
    "sleeps",
    "sings",
    "well",
    "fast",
    "here",
    "now",
    "and",
    "so",
)
MOST_SAID = 12
ASKED = "Rating"
"""A prompt with this word asks for ratings, and gets them, with occasional exceptions."""
RATINGS = ("Rating", "A", "B", ":", *(str(n) for n in range(1, 11)))


def _unit(*parts: Any) -> float:
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56


def _id(piece: str) -> int:
    return int(_unit(piece) * 2**20)


class FakeTokenizer:
    """A chat tokenizer without a vocabulary: a piece's id is a hash of its text, below 2**20.

    It can only decode what the fake backend generates.
    """

    name = "fake"
    chat_template = "role: content, one line a turn"
    day: date | None = None

    @property
    def edges(self) -> dict[str, int]:
        """None: a text has no special tokens at its ends."""
        return {}

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of words, punctuation marks and whitespace."""
        return [[_id(piece) for piece in PIECE.findall(text)] for text in texts]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of ids that the fake backend generated; others become a question mark."""
        pieces = {_id(piece): piece for piece in (*SAYINGS, *RATINGS, " ", END)}
        return ["".join(pieces.get(one, "?") for one in row) for row in ids]

    def text(self, ids: Sequence[int]) -> str:
        """As `decode`."""
        return self.decode([ids])[0]

    def turn_ends(self) -> tuple[int, ...]:
        """The end of the line."""
        return (_id(END),)

    def template(self, messages: Sequence[Message], generation_prompt: bool) -> str:
        """One line per turn."""
        text = "".join(f"{m['role']}: {m['content']}\n" for m in messages)
        return text + ("assistant: " if generation_prompt else "")

    def fingerprint(self) -> str:
        """The pattern itself."""
        return f"fake:{PIECE.pattern}"

    def template_fingerprint(self) -> str:
        """A constant."""
        return "fake"


class FakeBackend:
    """Log-probabilities, rewards, responses and embeddings from hashes of the ids or the text."""

    packs = True
    padding_free = False
    cached_tokens: int | None = None
    batch_tokens = 4096

    def __init__(self, spec: ModelSpec) -> None:
        self.seed = spec.name.removeprefix(FAKE)
        self.notes: list[str] = [f"{spec.name} is no model: its numbers are made up."]

    def logps(self, batch: Sequence[Rendered]) -> list[float]:
        """0 to -4 nats per token: the first depends on everything before it, the others on the token before."""
        return [-4 * sum(self._shares(row)) for row in batch]

    def readings(self, batch: Sequence[Rendered], also: frozenset[Also]) -> list[Reading]:
        """Collisions from 0 to -4 nats, and four numbers from 0 to 1 a token in place of hidden states."""
        found = []
        for row, logps in zip(batch, self.logps(batch), strict=True):
            units = [[_unit(self.seed, *one, part) for part in range(4)] for one in enumerate(row.ids[row.start :])]
            collision = -4 * sum(one[0] for one in units) / len(units) if "wpo" in also else None
            hidden = [sum(parts) for parts in zip(*units, strict=True)] if "ches" in also else None
            found.append(Reading(logps, collision, hidden))
        return found

    def _shares(self, row: Rendered) -> Iterator[float]:
        """Each counted token's share of -4 nats."""
        context: Any = tuple(row.ids[: row.start])
        for token in row.ids[row.start :]:
            yield _unit(self.seed, context, token)
            context = token

    def rewards(self, batch: Sequence[Ids]) -> list[float]:
        """Between -5 and 5."""
        return [10 * _unit(self.seed, tuple(ids)) - 5 for ids in batch]

    def generate(self, prompts: Sequence[Ids], seeds: Sequence[int], sampling: Sampling) -> list[Sample]:
        """One to twelve words each, or ratings; from the prompt alone at temperature 0, else from seed and sampling."""
        return [self._answer(list(ids), seed, sampling) for ids, seed in zip(prompts, seeds, strict=True)]

    def _answer(self, prompt: Ids, seed: int, sampling: Sampling) -> Sample:
        drawn = (seed, sampling.temperature, sampling.top_p) if sampling.temperature else ()
        source = (self.seed, tuple(prompt), *drawn)
        if _id(ASKED) in prompt and _unit(source, ASKED) < 0.9:
            text = " ".join(f"Rating{who}: {1 + int(10 * _unit(source, who))}" for who in (" A", " B", ""))
        else:
            count = 1 + int(MOST_SAID * _unit(source))
            text = " ".join(SAYINGS[int(len(SAYINGS) * _unit(source, i))] for i in range(count))
        ids = FakeTokenizer().encode([text + END])[0]
        kept = ids[: sampling.max_tokens]
        logps = self.logps([Rendered(prompt + kept, len(prompt), "exact")])[0]
        return Sample(kept, "stop" if kept == ids else "length", logps)

    def embed(self, texts: Sequence[str]) -> Any:
        """Unit vectors of 8 dimensions."""
        import numpy as np

        raw = np.array([[_unit(self.seed, text, i) - 0.5 for i in range(8)] for text in texts], dtype=np.float32)
        return raw.reshape(len(texts), 8) / np.linalg.norm(raw.reshape(len(texts), 8), axis=1, keepdims=True)

    def facts(self) -> dict[str, Any]:
        """Nothing but its name."""
        return {"backend": "fake", "seed": self.seed}

    def close(self) -> None:
        """Nothing to free."""
