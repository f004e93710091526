"""What a model takes on a named GPU: hours and memory, from its parameters and the tokens that it reads.

All of it is arithmetic for models in PyTorch in bfloat16; vLLM takes its own share of the memory, whatever the model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from curate.backends.batch_memory import LOGITS_TILE, cacheable, cached_bytes, fitting, held_bytes
from curate.errors import SettingsError, did_you_mean
from curate.plan.cost import ModelCost, ModelSize
from curate.plan.volume import Volume
from curate.schema import Record
from curate.scorers.generation import GPU_BATCH_TOKENS

UTILISATION = 0.4
"""The share of its peak that a GPU is expected to reach: arithmetic, not a measurement."""
TOKENS_PER_WORD = 1.3
"""English text in a usual tokenizer, where a model's own is not on this machine."""
BYTES, FLOAT32 = 2, 4
"""Bytes of a number in bfloat16, and in float32."""
WRITING, LOGPS = ("draws", "judge"), ("policy", "policy alone", "reference")
"""Roles of models that write, and of those whose log-probabilities are measured."""
SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)([bm])(?![A-Za-z0-9])", re.IGNORECASE)
UNITS = {"b": 1e9, "m": 1e6}
ASSUMED_ROWS = 10_000
ASSUMED = Volume(
    ASSUMED_ROWS,
    False,
    (Record(({"role": "user", "content": "word " * 150},), ("word " * 270, "word " * 270), (0, 1)),),
)
"""Stands for data that is not on this machine: prompts of about 200 tokens, responses of about 350."""


@dataclass(frozen=True)
class Gpu:
    """A GPU by its data sheet.

    Attributes:
        flops: peak in bfloat16, dense, per second.
        memory: GiB.
    """

    name: str
    flops: float
    memory: int


GPUS = {
    one.name: one
    for one in (
        Gpu("H100", 989e12, 80),
        Gpu("H200", 989e12, 141),
        Gpu("A100", 312e12, 80),
        Gpu("L40S", 362e12, 48),
        Gpu("RTX4090", 165e12, 24),
    )
}


def find_gpu(name: str) -> Gpu:
    """The GPU of this name, in capitals or not.

    Raises:
        SettingsError: it is not listed.
    """
    found = GPUS.get(name.upper())
    if found is None:
        raise SettingsError(
            f"There is no GPU {name} in the list.", setting="gpu", value=name, hint=did_you_mean(name, GPUS)
        )
    return found


def parameters_of(cost: ModelCost) -> float | None:
    """The model's parameters; from its name, as in Llama-3-8B, if its weights are not on this machine."""
    if cost.parameters is not None:
        return float(cost.parameters)
    found = SIZE.search(cost.model.rsplit("/", 1)[-1])
    return float(found[1]) * UNITS[found[2].lower()] if found else None


def hours(cost: ModelCost, gpu: Gpu) -> float | None:
    """Hours of reading on one GPU: 2 x parameters x tokens, at the expected share of its peak."""
    parameters = parameters_of(cost)
    if parameters is None or cost.tokens is None:
        return None
    tokens = cost.tokens * (TOKENS_PER_WORD if cost.unit == "words" else 1)
    return 2 * parameters * tokens / (gpu.flops * UTILISATION) / 3600


@dataclass(frozen=True)
class Memory:
    """GiB that a model takes.

    Attributes:
        weights: the model.
        batch: what it holds while it reads one batch, or the keys and values of what it writes.
        tokens: of that batch.
    """

    weights: float
    batch: float
    tokens: int

    @property
    def total(self) -> float:
        """Both together."""
        return self.weights + self.batch


def memory(cost: ModelCost, gpu: Gpu) -> Memory | None:
    """The weights, and the largest batch: by `--batch-tokens`, else by what the weights leave on this GPU.

    A model that reads holds the widest layer of all tokens of a batch, and for log-probabilities two tiles of logits;
    one that writes holds keys and values. A model whose configuration is elsewhere is taken for a usual decoder of its
    size.
    """
    parameters = parameters_of(cost)
    if parameters is None:
        return None
    weights, size = parameters * BYTES, cost.size or usual_size(parameters)
    beside = max(0.0, gpu.memory * 2**30 - weights)
    if cost.role in WRITING:
        cached = cached_bytes(size.layers, size.keys, BYTES)
        tokens = cost.batch_tokens or min(GPU_BATCH_TOKENS, cacheable(beside, cached))
        return Memory(weights / 2**30, tokens * cached / 2**30, tokens)
    held = held_bytes(size.hidden, size.wide, BYTES)
    tokens = cost.batch_tokens or fitting(beside, held)
    logits = 2 * FLOAT32 * LOGITS_TILE[0] * LOGITS_TILE[1] if cost.role in LOGPS else 0
    return Memory(weights / 2**30, (tokens * held + logits) / 2**30, tokens)


def usual_size(parameters: float) -> ModelSize:
    """A decoder of so many parameters: 12 x layers x hidden^2 of them, and a layer for every 128 of its width."""
    hidden = max(1, round((128 * parameters / 12) ** (1 / 3)))
    return ModelSize(hidden, 4 * hidden, max(1, round(hidden / 128)), hidden)
