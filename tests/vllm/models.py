"""Models that vLLM's attention on a CPU can read (heads of 32), and the engine that is open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import transformers

from curate.backends import ModelSpec
from curate.demo.tiny import make_tokenizer
from tests.backends.models import SHAPE, save_causal, save_reward

CLOSE = 1e-4
WIDE: dict[str, Any] = SHAPE | {
    "hidden_size": 64,
    "head_dim": 32,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 1024,
}
T = TypeVar("T")
_open: list[Any] = []


def opened(kind: Callable[[ModelSpec], T], how: ModelSpec) -> T:
    """Open an engine; a process holds one, so that the one before is closed first."""
    close_all()
    backend = kind(how)
    _open.append(backend)
    return backend


def close_all() -> None:
    while _open:
        _open.pop().close()


def spec(name: str | Path, **more: Any) -> ModelSpec:
    return ModelSpec.of(
        str(name), **{"device": "cpu", "dtype": "float32", "backend": "vllm", "max_length": 256, **more}
    )


def causal(folder: Path, **changes: Any) -> str:
    return save_causal(transformers.LlamaConfig(**(WIDE | changes)), folder)


def reward(folder: Path, outputs: int = 1, **changes: Any) -> str:
    """With a tokenizer, which vLLM opens for such models though it gets token ids."""
    make_tokenizer(["some text to learn merges from"]).save_pretrained(folder)
    return save_reward(transformers.LlamaConfig(**(WIDE | changes)), folder, outputs)
