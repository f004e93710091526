"""What a backend can be asked for: narrow contracts over token ids, one file an engine.

Backends know nothing of data sets, pairs or templates. Each file imports its engine inside functions, so that a run
that needs no model loads none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from curate.render import Ids, Rendered

ModelKind = Literal["causal", "reward", "embedding"]
BackendName = Literal["auto", "torch", "vllm", "server"]


class OutOfMemory(Exception):
    """The batch does not fit on the device; a smaller one may."""


@dataclass(frozen=True)
class ModelSpec:
    """Which model to open, and how.

    Attributes:
        name: folder (a model or a LoRA adapter), hub id, `http://HOST:PORT#NAME` for a served model, or `fake:SEED`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        dtype: `auto` is float32 on a CPU, and bfloat16 on a GPU that has it.
        threads: of the CPU that it may use; None for as many as there are.
        backend: what runs it; `auto` is torch.
        tensor_parallel: GPUs that share the model; vLLM alone can.
        max_length: tokens of the longest row that it will be given; None where the model has no limit. vLLM must know.
        reward_head: where a reward model's reward stands, where that is not its one logit; see `reward_heads`.
        server_seconds: how long a server may take for an answer.
        keep_base: whether what an adapter adapts is opened next, and so stays in memory when the adapter is closed.
    """

    name: str
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


class Backend(Protocol):
    """An opened model."""

    notes: list[str]
    """What the user should know of how it runs, such as a self-check that made it slower."""

    def facts(self) -> dict[str, Any]:
        """Device, dtype and whatever else decided the numbers."""

    def close(self) -> None:
        """Free the model and its memory."""


class BatchBackend(Backend, Protocol):
    """A model that reads rows of token ids in batches, and what a batch of them costs."""

    packs: bool
    """Whether a batch costs its tokens, those that rows begin with in common once; else its rows are padded."""

    padding_free: bool
    """Whether rows of different lengths must not share a batch, because padding would change their numbers."""

    batch_tokens: int
    """Tokens of one batch that should fit and are enough to be fast; the same at every opening on one machine."""


class LogprobBackend(BatchBackend, Protocol):
    """A causal language model."""

    def logps(self, batch: Sequence[Rendered]) -> list[float]:
        """Per row the log-probability of ids[start:] given what stands before, summed, in nats."""


class RewardBackend(BatchBackend, Protocol):
    """A reward model with one raw output."""

    def rewards(self, batch: Sequence[Ids]) -> list[float]:
        """Per row the raw reward read at its last token, in the model's own units."""


@dataclass(frozen=True)
class Sampling:
    """How responses are drawn.

    Attributes:
        temperature: divides the logits; 0 takes the likeliest token.
        top_p: draw from the smallest set of tokens whose probability reaches this.
        max_tokens: most tokens of a response, its end-of-turn token included.
        stop_ids: tokens that end a turn, beside those that the model's own configuration names.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 512
    stop_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One drawn response.

    Attributes:
        ids: its tokens, the end-of-turn token included where it was drawn.
        finish_reason: `stop` when the model ended its turn, `length` when max_tokens did.
        logps: log-probability of those tokens under the model itself (temperature 1, all tokens), summed, in nats.
    """

    ids: Ids
    finish_reason: Literal["stop", "length"]
    logps: float


class GenerationBackend(Backend, Protocol):
    """A causal language model that writes."""

    padding_free: bool
    """Whether prompts of different lengths must not share a batch, because padding would change their numbers."""

    cached_tokens: int | None
    """Tokens of all rows whose cache fits on the device; None where the engine sees to that itself."""

    def generate(self, prompts: Sequence[Ids], seeds: Sequence[int], sampling: Sampling) -> list[Sample]:
        """Per row one response to the prompt, drawn with its own seed: its neighbours in the batch change nothing."""


class EmbeddingBackend(Backend, Protocol):
    """A sentence embedder; it tokenises by itself, as its model card prescribes."""

    def embed(self, texts: Sequence[str]) -> Any:
        """Unit vectors [len(texts), dimensions], float32."""
