"""What a model takes on a named GPU: hours and memory, from its parameters and the tokens that it reads."""

from __future__ import annotations

import re
from dataclasses import dataclass

from curate.errors import SettingsError, did_you_mean
from curate.plan.cost import ModelCost
from curate.plan.volume import Volume
from curate.schema import Record

UTILISATION = 0.4
"""The share of its peak that a GPU is expected to reach: arithmetic, not a measurement."""
TOKENS_PER_WORD = 1.3
"""English text in a usual tokenizer, where a model's own is not on this machine."""
BYTES = 2
"""Bytes of a parameter in bfloat16."""
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


def memory(cost: ModelCost) -> float | None:
    """GiB of the model's weights in bfloat16."""
    parameters = parameters_of(cost)
    return None if parameters is None else parameters * BYTES / 2**30
