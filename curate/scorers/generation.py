"""Sample responses from a model: keyed draws in, keyed texts out."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from curate.backends import GenerationBackend, ModelSpec, Sample, Sampling
from curate.backends.open import open_generation
from curate.render import render_prompts
from curate.scorers import Batch, Cut, DrawItem, Scored
from curate.scorers.batching import halving, token_batches, writing_budget
from curate.tokens import WritingTokenizer

CPU_BATCH_TOKENS = 16_384
GPU_BATCH_TOKENS = 65_536


@dataclass
class Generation:
    """Yields `response` (text), `finish_reason`, `tokens` and `logps` of what one model generates.

    `tokens` counts those drawn, including a drawn end of turn, and `logps` is their log-probability under the model
    itself, in nats, whatever the temperature and top_p of the draw.

    Attributes:
        name: name of the shards.
        model: the user's name for the model.
        sampling: how to sample; each item brings its own temperature.
        identity: what decides the draws apart from the sampling.
        batch_tokens: prompt tokens plus `max_tokens` over all rows of a batch: the size its cache may reach.
    """

    name: str
    model: str
    spec: ModelSpec
    tokenizer: WritingTokenizer
    sampling: Sampling
    identity: dict[str, Any] = field(default_factory=dict)
    batch_tokens: int | None = None
    _backend: GenerationBackend | None = None

    @property
    def title(self) -> str:
        """Which model generates."""
        return f"responses of {self.model!r}"

    @property
    def schema(self) -> pa.Schema:
        """Types of the columns."""
        texts = [("response", pa.string()), ("finish_reason", pa.string())]
        return pa.schema([*texts, ("tokens", pa.int32()), ("logps", pa.float64())])

    def open(self) -> list[str]:
        """Load the model."""
        self._backend = open_generation(self.spec)
        return [f"{self.title}: {note}" for note in self._backend.notes]

    def score(self, items: Sequence[DrawItem], done: Container[int]) -> Iterator[Scored]:
        """Sample the responses."""
        for batch in self.batches(items, self.cut()):
            if not all(key in done for key in batch.keys):
                yield self.measure(batch)

    def on(self, device: str, threads: int | None) -> Generation:
        """The same scorer for another process."""
        return replace(self, spec=replace(self.spec, device=device, threads=threads), _backend=None)

    def cut(self) -> Cut:
        """Padded; devices of one kind share one budget."""
        assert self._backend is not None, "open() comes first"
        own = writing_budget(self._backend, cpu=CPU_BATCH_TOKENS, gpu=GPU_BATCH_TOKENS)
        budget = self.batch_tokens or own
        return Cut(budget, one_length=self._backend.padding_free)

    def batches(self, items: Sequence[DrawItem], cut: Cut) -> Iterator[Batch]:
        """The draws as (prompt ids, item), in batches of one temperature, longest prompts first."""
        prompts = render_prompts(self.tokenizer, [item.prompt for item in items])
        for temperature in dict.fromkeys(item.temperature for item in items):
            places = [i for i, item in enumerate(items) if item.temperature == temperature]
            lengths = [len(prompts[i]) + self.sampling.max_tokens for i in places]
            for batch in token_batches(lengths, cut.budget, one_length=cut.one_length):
                rows = [(prompts[places[i]], items[places[i]]) for i in batch]
                yield Batch([item.key for _, item in rows], rows, sum(lengths[i] for i in batch))

    def measure(self, batch: Batch) -> Scored:
        """Sample the responses of a batch."""
        sampling = replace(self.sampling, temperature=batch.rows[0][1].temperature)
        return self._draw(batch.keys, [(ids, item.seed) for ids, item in batch.rows], sampling)

    def facts(self) -> dict[str, Any]:
        """Model, seed and sampling."""
        sampling = {"top_p": self.sampling.top_p, "max_tokens": self.sampling.max_tokens}
        return {**self.identity, **sampling, "stop_ids": list(self.sampling.stop_ids)}

    def close(self) -> None:
        """Free the model."""
        if self._backend is not None:
            self._backend.close()
        self._backend = None

    def _draw(self, keys: Sequence[int], rows: Sequence[tuple[list[int], int]], sampling: Sampling) -> Scored:
        backend = self._backend
        assert backend is not None

        def work(part: Sequence[tuple[list[int], int]]) -> list[Sample]:
            return backend.generate([ids for ids, _ in part], [seed for _, seed in part], sampling)

        samples = halving(work, rows)
        # The end of turn is not part of the text; decoding would keep it if it is not a special token.
        said = [s.ids[:-1] if s.finish_reason == "stop" else s.ids for s in samples]
        columns: dict[str, list[Any]] = {
            "response": self.tokenizer.decode(said),
            "finish_reason": [s.finish_reason for s in samples],
            "tokens": [len(s.ids) for s in samples],
            "logps": [s.logps for s in samples],
        }
        return Scored(keys, columns, tokens=sum(len(s.ids) for s in samples))
