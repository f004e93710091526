"""Models with random weights, rows of random tokens, and what it takes to read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from curate.backends.shared_prefixes import reading_order
from curate.render import Rendered

VOCABULARY = 32000


def make_model(folder: Path, kind: str = "CausalLM", **sizes: int) -> str:
    """A randomly initialised Llama, of 20M parameters with a vocabulary of 32k where `sizes` does not say otherwise."""
    import torch
    import transformers

    shape = {"hidden_size": 320, "intermediate_size": 896, "num_hidden_layers": 8, "num_attention_heads": 5}
    shape |= {"num_key_value_heads": 5, "vocab_size": VOCABULARY, "max_position_embeddings": 8192} | sizes
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.LlamaConfig(
            **shape, pad_token_id=0, bos_token_id=1, eos_token_id=2, tie_word_embeddings=True, num_labels=1
        )
        model = getattr(transformers, "LlamaFor" + kind)(config)
        model.save_pretrained(folder)
        # a tokenizer of one word a token, for peers that read text
        words = {"<pad>": 0, "<eos>": 2} | {f"t{i}": i for i in range(shape["vocab_size"]) if i not in (0, 2)}
    save_tokenizer(folder, words)
    return str(folder)


def save_tokenizer(folder: Path, words: dict[str, int]) -> None:
    """A tokenizer that splits at white space."""
    import tokenizers
    import transformers

    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<pad>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<eos>", pad_token="<pad>", unk_token="<pad>"
    )
    fast.save_pretrained(folder)


def pairs_of_rows(pairs: int, seed: int = 0) -> list[Rendered]:
    """Two responses to each prompt, as long as in judged chats: 47, 225 and 150 tokens in the mean, widely spread."""
    drawn = np.random.default_rng(seed)
    rows = []
    for _ in range(pairs):
        prompt = drawn.integers(3, VOCABULARY, 15 + int(drawn.gamma(1.0, 32.0))).tolist()
        for shape, scale in ((1.45, 155.0), (0.95, 158.0)):
            length = min(int(drawn.gamma(shape, scale)) + 2, 1023 - len(prompt))
            rows.append(Rendered([*prompt, *drawn.integers(3, VOCABULARY, length).tolist(), 2], len(prompt), "exact"))
    return rows


def many_responses(prompt: int, response: int, responses: int, prompts: int = 1) -> list[Rendered]:
    """Rows of fixed lengths that share their prompt."""
    drawn = np.random.default_rng(0)
    rows = []
    for _ in range(prompts):
        ids = drawn.integers(3, VOCABULARY, prompt).tolist()
        for _ in range(responses):
            rows.append(Rendered([*ids, *drawn.integers(3, VOCABULARY, response).tolist()], prompt, "exact"))
    return rows


def flops(config: Any, rows: Sequence[Rendered], shared: bool = True, head: bool = True) -> float:
    """What must be multiplied and added, twice each: matrices of the layers, attention, logits at response positions.

    Attention counts what a causal token sees, itself included. With `shared`, what rows begin with in common counts
    once.
    """
    ids = [row.ids for row in rows]
    new = [len(ids[i]) - (known if shared else 0) for i, known in reading_order(ids)]
    seen = [sum(range(len(ids[i]) - n + 1, len(ids[i]) + 1)) for (i, _), n in zip(reading_order(ids), new, strict=True)]
    wide, heads = config.hidden_size, config.num_attention_heads
    size = getattr(config, "head_dim", None) or wide // heads
    layer = wide * size * (2 * heads + 2 * config.num_key_value_heads) + 3 * wide * config.intermediate_size
    logits = sum(row.response_tokens for row in rows) * wide * config.vocab_size if head else 0
    return 2.0 * (config.num_hidden_layers * (layer * sum(new) + 2 * heads * size * sum(seen)) + logits)


def worst(found: Sequence[float], wanted: Sequence[float], rows: Sequence[Rendered]) -> float:
    """Largest difference in nats per token."""
    return max(abs(a - b) / row.response_tokens for a, b, row in zip(found, wanted, rows, strict=True))


def config_of(folder: str) -> Any:
    """A model's configuration."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder)
