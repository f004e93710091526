"""What a backend can do: narrow contracts over token ids, one file per engine.

Backends know nothing of data sets, pairs or templates. Each file imports its engine inside functions, so that a run
that needs no model loads none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from curate.model import Model
from curate.render import Ids, Rendered

ModelKind = Literal["causal", "reward", "embedding"]
BackendName = Literal["auto", "torch", "vllm"]
Also = Literal["wpo", "ches"]
"""What may be read in the pass besides log-probabilities: collision probabilities, and sums of hidden states."""
Engine = Literal["torch", "vllm", "server", "fake"]


class OutOfMemory(Exception):
    """The batch does not fit on the device; a smaller one may."""


@dataclass(frozen=True)
class ModelSpec:
    """Which model to open, and how.

    Attributes:
        model: which model.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        dtype: `auto` means float32 on a CPU, and bfloat16 on a GPU that supports it.
        threads: CPU threads that it may use; None for all.
        backend: what runs it; `auto` means torch.
        tensor_parallel: number of GPUs that share the model; only vLLM supports more than one.
        max_length: tokens of the longest row it will get; None if the model has no limit. vLLM must know this.
        reward_head: where a reward model's reward is, if not in a single logit; see `reward_heads`.
        server_seconds: how long a server may take for an answer.
        elsewhere: whether it is opened on another machine: what this one has then says nothing.
        keep_base: whether an adapter's base model is opened next, and so stays in memory when the adapter is closed.
    """

    model: Model
    device: str = "auto"
    dtype: str = "auto"
    trust_remote_code: bool = False
    threads: int | None = None
    backend: BackendName = "auto"
    tensor_parallel: int = 1
    max_length: int | None = None
    reward_head: str | None = None
    keep_base: bool = False
    server_seconds: float = 120.0
    elsewhere: bool = False

    @classmethod
    def of(cls, name: str, *how: Any, **more: Any) -> ModelSpec:
        """The spec of the model of this name; the other arguments as above."""
        return cls(Model.of(name), *how, **more)

    @property
    def name(self) -> str:
        """What the user called the model."""
        return self.model.name

    @property
    def engine(self) -> Engine:
        """What runs it: a server if it is behind one, else what `backend` says."""
        if self.model.kind in ("fake", "server"):
            return self.model.kind
        return "vllm" if self.backend == "vllm" else "torch"


class Backend(Protocol):
    """An opened model."""

    notes: list[str]
    """What the user should know about how it runs, such as a failed self-check that makes it slower."""

    def facts(self) -> dict[str, Any]:
        """Device, dtype and everything else that decided the numbers."""

    def close(self) -> None:
        """Free the model and its memory."""


class BatchBackend(Backend, Protocol):
    """A model that reads rows of token ids in batches, and the cost of a batch."""

    packs: bool
    """True: rows are packed without padding and shared prefixes are computed once. False: rows are padded."""

    padding_free: bool
    """Whether rows of different lengths must not share a batch, because padding would change their numbers."""

    batch_tokens: int
    """Tokens per batch that should fit and are enough to be fast; always the same on one machine."""


class LogprobBackend(BatchBackend, Protocol):
    """A causal language model."""

    def logps(self, batch: Sequence[Rendered]) -> list[float]:
        """The log-probability of each row's ids[start:] given what precedes it, summed, in nats."""


@dataclass(frozen=True)
class Reading:
    """What one pass over a response tells beyond its log-probability.

    Attributes:
        logps: as of `LogprobBackend.logps`.
        collision: mean over the response's tokens of log sum_v pi(v)^2, in nats; None if it was not asked for.
        hidden: the sum of the last hidden states from the last prompt token to the last but one, float32 [width]; None
            if it was not asked for.
    """

    logps: float
    collision: float | None = None
    hidden: Any = None


@runtime_checkable
class ReadingBackend(LogprobBackend, Protocol):
    """A causal language model whose hidden states and logits are at hand."""

    def readings(self, batch: Sequence[Rendered], also: frozenset[Also]) -> list[Reading]:
        """The log-probability of each row, with what is asked for, from the same pass."""


class RewardBackend(BatchBackend, Protocol):
    """A reward model with one raw output."""

    def rewards(self, batch: Sequence[Ids]) -> list[float]:
        """The raw reward of each row, read at its last token, in the model's own units."""


@dataclass(frozen=True)
class Sampling:
    """How responses are sampled.

    Attributes:
        temperature: divides the logits; 0 takes the most likely token.
        top_p: sample from the smallest set of tokens whose probability reaches this.
        max_tokens: maximum tokens of a response, including its end-of-turn token.
        stop_ids: tokens that end a turn, in addition to those named by the model's own configuration.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 512
    stop_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One sampled response.

    Attributes:
        ids: its tokens, including a drawn end-of-turn token.
        finish_reason: `stop` if the model ended its turn, `length` if it reached max_tokens.
        logps: log-probability of those tokens under the model itself (temperature 1, all tokens), summed, in nats.
    """

    ids: Ids
    finish_reason: Literal["stop", "length"]
    logps: float


class GenerationBackend(Backend, Protocol):
    """A causal language model that generates."""

    padding_free: bool
    """Whether prompts of different lengths must not share a batch, because padding would change their numbers."""

    cached_tokens: int | None
    """Tokens of all rows whose cache fits on the device; None if the engine manages that itself."""

    def generate(self, prompts: Sequence[Ids], seeds: Sequence[int], sampling: Sampling) -> list[Sample]:
        """One response to each prompt, sampled with its own seed: other rows of the batch change nothing."""


class EmbeddingBackend(Backend, Protocol):
    """A sentence embedder; it tokenises by itself, as its model card says."""

    def embed(self, texts: Sequence[str]) -> Any:
        """Unit vectors [len(texts), dimensions], float32."""
