"""Scorers that run a model over responses: log-probabilities of a language model, rewards of a reward model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import pyarrow as pa

from curate.backends import Also, BatchBackend, LogprobBackend, ModelSpec, ReadingBackend, RewardBackend
from curate.backends.open import open_logprobs, open_rewards
from curate.errors import ModelError
from curate.render import Rendered, Renderer
from curate.scorers import Batch, Cut, ResponseItem, Scored
from curate.scorers.batching import halving, packed_batches, token_batches
from curate.tokens.tools import takes_tools

HIDDEN = "hidden"


@dataclass(frozen=True)
class Prepared:
    """Items as the model will read them: their keys and token ids."""

    keys: list[int]
    rendered: list[Rendered]


@dataclass
class ModelScorer:
    """Runs rendered responses through one model, in batches under a token budget.

    Attributes:
        kind: `logps` yields `logps` (nats, summed), `tokens` (those counted), `truncated` and `border`; `reward` yields
            `reward`, `truncated` and `border`. Responses that cannot be measured are null: nothing was left after
            truncation, or the chat template rejected the conversation.
        name: `policy`, `reference`, or the name of a reward source.
        identity: what distinguishes this model from all others, for the manifest.
        also: further columns of the same pass: wpo adds `collision` (nats per token), ches `hidden` (float32 [width]).
    """

    kind: Literal["logps", "reward"]
    name: str
    spec: ModelSpec
    renderer: Renderer
    batch_tokens: int | None = None
    identity: dict[str, Any] = field(default_factory=dict)
    also: frozenset[Also] = frozenset()
    _backend: Any = None

    @property
    def title(self) -> str:
        """Role and model."""
        role = "reward model" if self.kind == "reward" else self.name
        return f"{role} {self.spec.model.short!r}"

    @property
    def takes_tools(self) -> bool:
        """Whether the model's chat template writes out tools and calls of them."""
        return takes_tools(self.renderer.tokenizer)

    @property
    def schema(self) -> pa.Schema:
        """Types of the columns."""
        number = (
            [("logps", pa.float64()), ("tokens", pa.int32())] if self.kind == "logps" else [("reward", pa.float64())]
        )
        number += [("collision", pa.float64())] if "wpo" in self.also else []
        number += [(HIDDEN, pa.list_(pa.float32()))] if "ches" in self.also else []
        return pa.schema([*number, ("truncated", pa.bool_()), ("border", pa.string())])

    def open(self) -> list[str]:
        """Load the model."""
        self._backend = (open_logprobs if self.kind == "logps" else open_rewards)(self.spec)
        return [f"{self.title}: {note}" for note in self._backend.notes]

    def prepare(self, items: Sequence[ResponseItem]) -> Prepared:
        """Render the items: everything done to them before the model."""
        return Prepared(
            [item.key for item in items],
            self.renderer.render([(item.prompt, item.answer) for item in items], [item.other_answer for item in items]),
        )

    def score(self, items: Sequence[ResponseItem] | Prepared, done: Container[int]) -> Iterator[Scored]:
        """Measure the items."""
        for batch in self.batches(items, self.cut()):
            if not all(key in done for key in batch.keys):
                yield self.measure(batch)

    def on(self, device: str, threads: int | None) -> ModelScorer:
        """The same scorer for another process, which renders nothing: not every tokenizer can be pickled."""
        spec = replace(self.spec, device=device, threads=threads)
        return replace(self, spec=spec, renderer=cast(Renderer, None), _backend=None)

    def cut(self) -> Cut:
        """Packed or padded, as the model allows."""
        backend: BatchBackend = self._backend
        return Cut(self.batch_tokens or backend.batch_tokens, backend.packs, backend.padding_free)

    def batches(self, items: Sequence[ResponseItem] | Prepared, cut: Cut) -> Iterator[Batch]:
        """The items as rendered rows, in batches."""
        ready = items if isinstance(items, Prepared) else self.prepare(items)
        lengths = [len(row.ids) if row.response_tokens > 0 else 0 for row in ready.rendered]
        if cut.packs:
            read = [row.ids if length else [] for row, length in zip(ready.rendered, lengths, strict=True)]
            places = packed_batches(read, cut.budget)
        else:
            places = token_batches(lengths, cut.budget, one_length=cut.one_length)
        for batch in places:
            rows = [ready.rendered[i] for i in batch]
            yield Batch([ready.keys[i] for i in batch], rows, sum(lengths[i] for i in batch))

    def measure(self, batch: Batch) -> Scored:
        """The numbers of rendered rows."""
        return Scored(batch.keys, self._measure(batch.rows), batch.tokens)

    def facts(self) -> dict[str, Any]:
        """Model, limits, and how texts were truncated."""
        limits: dict[str, Any] = {"max_length": self.renderer.max_length, "truncation": self.renderer.truncation}
        limits |= {"match": self.renderer.match} if self.renderer.match else {}
        limits |= {"also": sorted(self.also)} if self.also else {}
        return {**self.identity, **limits}

    def close(self) -> None:
        """Free the model."""
        if self._backend is not None:
            self._backend.close()
        self._backend = None

    def _measure(self, rows: Sequence[Rendered]) -> dict[str, list[Any]]:
        wanted = [row for row in rows if row.response_tokens > 0]
        if self.also:
            return self._read(rows, wanted)
        measured = iter(halving(self._run, wanted) if wanted else [])
        columns: dict[str, list[Any]] = {
            "logps" if self.kind == "logps" else "reward": [
                next(measured) if row.response_tokens > 0 else None for row in rows
            ],
            "truncated": [row.truncated for row in rows],
            "border": [row.border for row in rows],
        }
        if self.kind == "logps":
            columns["tokens"] = [row.response_tokens if row.response_tokens > 0 else None for row in rows]
        return columns

    def _read(self, rows: Sequence[Rendered], wanted: Sequence[Rendered]) -> dict[str, list[Any]]:
        backend: ReadingBackend = self._backend
        found = iter(halving(lambda some: backend.readings(some, self.also), wanted) if wanted else [])
        readings = [next(found) if row.response_tokens > 0 else None for row in rows]
        columns: dict[str, list[Any]] = {
            "logps": [one.logps if one else None for one in readings],
            "tokens": [row.response_tokens if one else None for one, row in zip(readings, rows, strict=True)],
            "truncated": [row.truncated for row in rows],
            "border": [row.border for row in rows],
        }
        if "wpo" in self.also:
            columns["collision"] = [one.collision if one else None for one in readings]
        if "ches" in self.also:
            columns[HIDDEN] = [one.hidden if one else None for one in readings]
        return columns

    def _run(self, rows: Sequence[Rendered]) -> list[float]:
        if self.kind == "logps":
            backend: LogprobBackend = self._backend
            return backend.logps(rows)
        rewarder: RewardBackend = self._backend
        return rewarder.rewards([row.ids for row in rows])


def check_borders(name: str, borders: Counter[str], refusal: str) -> list[str]:
    """Notes on how the starts of responses were found.

    Raises:
        ModelError: the chat template rejected every conversation.
    """
    if borders and set(borders) == {"refused"}:
        raise ModelError(
            f"The chat template refuses every conversation: {refusal or 'no reason given'}.",
            name,
            "Give another template with --chat-template=FILE.",
        )
    notes = []
    if borders["refused"]:
        notes.append(f"{name}: the chat template refused {borders['refused']} responses; their numbers are null.")
    if borders["split"]:
        notes.append(
            f"{name}: for {borders['split']} responses a token would span the end of the prompt and the beginning "
            "of the response; the two are tokenised apart, as in generation."
        )
    if borders["spanned"]:
        notes.append(
            f"{name}: for {borders['spanned']} responses a token spans the end of the prompt and the beginning "
            "of the response, and they cannot be tokenised apart; the response begins with that token."
        )
    if borders["common_prefix"]:
        notes.append(
            f"{name}: for {borders['common_prefix']} responses the template rewrites the prompt; "
            "they begin after the common prefix."
        )
    return notes
