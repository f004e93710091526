"""Tiny models with random weights, and what they say in a batch of one, computed by their own forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
import transformers

from curate.render import Rendered

VOCAB = 96
SHAPE = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    # wide enough that the logits are far from uniform, as those of a trained model are
    "initializer_range": 0.4,
}


def save_causal(config: Any, folder: Path) -> str:
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder)
    return str(folder)


def save_reward(config: Any, folder: Path, outputs: int = 1) -> str:
    torch.manual_seed(0)
    config.num_labels = outputs
    model = transformers.AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder)
    return str(folder)


def open_alone(name: str, kind: str = "causal") -> Any:
    auto = {
        "causal": transformers.AutoModelForCausalLM,
        "reward": transformers.AutoModelForSequenceClassification,
    }[kind]
    return auto.from_pretrained(name, dtype=torch.float32).eval()


@torch.inference_mode()
def logp_alone(model: Any, row: Rendered) -> float:
    ids = torch.tensor([row.ids])
    per_token = model(ids).logits[0].float().log_softmax(-1)[:-1].gather(1, ids[0, 1:, None])[:, 0]
    return float(per_token[row.start - 1 :].double().sum())


@torch.inference_mode()
def reward_alone(model: Any, ids: Sequence[int]) -> float:
    return float(model(torch.tensor([list(ids)])).logits[0, 0])


def random_rows(lengths: Sequence[int], vocabulary: int = VOCAB, seed: int = 0) -> list[Rendered]:
    """Rows of these lengths; a response begins anywhere, at the very first position that can be counted too."""
    rng = Random(seed)
    rows = []
    for n in lengths:
        ids = [rng.randrange(vocabulary) for _ in range(n)]
        rows.append(Rendered(ids, rng.randint(1, max(1, n - 1)), "exact"))
    return rows


def worst(ours: Sequence[float], expected: Sequence[float], rows: Sequence[Rendered]) -> float:
    """Largest difference in nats per token."""
    return max(abs(a - b) / max(1, r.response_tokens) for a, b, r in zip(ours, expected, rows, strict=True))
