"""Tiny models with random weights, and what they say in a batch of one, computed by their own forward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


small = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": VOCAB, "bos_token_id": 1, "eos_token_id": 2}
wide = {"initializer_range": 0.4}


def sized(**changes: Any) -> dict[str, Any]:
    return SHAPE | changes


ARCHITECTURES: dict[str, Callable[[], Any]] = {
    "llama": lambda: transformers.LlamaConfig(**SHAPE),
    "qwen3_tied": lambda: transformers.Qwen3Config(**sized(tie_word_embeddings=True)),
    "gemma2_softcapped": lambda: transformers.Gemma2Config(
        **sized(final_logit_softcapping=3.0, attn_logit_softcapping=20.0, sliding_window=16)
    ),
    "gpt2_positions_tied": lambda: transformers.GPT2Config(
        vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=256, bos_token_id=1, eos_token_id=2, **wide
    ),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(**small, intermediate_size=48, num_attention_heads=4, **wide),
    "opt_positions_from_mask": lambda: transformers.OPTConfig(
        **small, ffn_dim=48, num_attention_heads=4, max_position_embeddings=256, pad_token_id=0, init_std=0.4
    ),
    "bloom_alibi": lambda: transformers.BloomConfig(
        vocab_size=VOCAB, hidden_size=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2, **wide
    ),
    "phi_head_with_bias": lambda: transformers.PhiConfig(**small, intermediate_size=48, num_attention_heads=4, **wide),
    "granite_scaled": lambda: transformers.GraniteConfig(**sized(logits_scaling=4.0)),
    "cohere_scaled": lambda: transformers.CohereConfig(**sized(logit_scale=0.25)),
    "mistral_window": lambda: transformers.MistralConfig(**sized(sliding_window=12)),
    "gemma3_windows": lambda: transformers.Gemma3TextConfig(
        **sized(sliding_window=12, num_hidden_layers=3, layer_types=["sliding_attention"] * 2 + ["full_attention"])
    ),
    "mixtral_experts": lambda: transformers.MixtralConfig(**sized(num_local_experts=4)),
    "phi3_longrope": lambda: transformers.Phi3Config(
        **sized(
            original_max_position_embeddings=32,
            rope_parameters={
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "short_factor": [1.0] * 4,
                "long_factor": [1.0, 1.5, 2.5, 4.0],
                "original_max_position_embeddings": 32,
            },
        )
    ),
    "gpt_oss_sinks": lambda: transformers.GptOssConfig(**sized(num_local_experts=4, sliding_window=12)),
    "llama4_chunks": lambda: transformers.Llama4TextConfig(**sized(num_local_experts=2, attention_chunk_size=16)),
    "lfm2_convolutions": lambda: transformers.Lfm2Config(
        **sized(layer_types=["conv", "full_attention"], conv_L_cache=3)
    ),
    "mamba": lambda: transformers.MambaConfig(
        vocab_size=VOCAB, hidden_size=32, state_size=4, num_hidden_layers=2, **wide
    ),
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
    """The model as its authors wrote it: attention whose logits are capped is only so in the eager form."""
    auto = {
        "causal": transformers.AutoModelForCausalLM,
        "reward": transformers.AutoModelForSequenceClassification,
    }[kind]
    model = auto.from_pretrained(name, dtype=torch.float32).eval()
    if getattr(model.config, "attn_logit_softcapping", None):
        model.set_attn_implementation("eager")
    return model


@torch.inference_mode()
def logp_alone(model: Any, row: Rendered) -> float:
    ids = torch.tensor([row.ids])
    per_token = model(ids).logits[0].float().log_softmax(-1)[:-1].gather(1, ids[0, 1:, None])[:, 0]
    return float(per_token[row.start - 1 :].double().sum())


@torch.inference_mode()
def closest_choice(model: Any, prompt: Sequence[int], ids: Sequence[int]) -> float:
    """Along a greedy response, the least lead of the likeliest token over the next, in nats."""
    logits = model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
    first, second = logits.float().log_softmax(-1).topk(2).values.T
    return float((first - second).min())


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
