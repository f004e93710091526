"""Models with random weights and rows of random tokens, and the peers' ways of reading them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from curate.backends import ModelSpec
from curate.backends.prefixes import reading_order
from curate.render import Rendered
from curate.scorers.batching import packed_batches

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
    """Two responses to each prompt, as long as in pairs drawn from AlpacaEval: 45 and 257 tokens in the mean."""
    drawn = np.random.default_rng(seed)
    rows = []
    for _ in range(pairs):
        prompt = drawn.integers(3, VOCABULARY, int(drawn.integers(20, 71))).tolist()
        for _ in range(2):
            length = min(int(drawn.gamma(1.5, 170.0)) + 4, 1000 - len(prompt))
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


def ours(backend: Any, rows: Sequence[Rendered], budget: int | None = None) -> list[float]:
    """The rows' log-probabilities, or rewards, in the scorer's own batches."""
    values = [0.0] * len(rows)
    for batch in packed_batches([row.ids for row in rows], budget or backend.batch_tokens):
        some = [rows[i] for i in batch]
        found = backend.logps(some) if hasattr(backend, "logps") else backend.rewards([row.ids for row in some])
        for position, value in zip(batch, found, strict=True):
            values[position] = value
    return values


def one_by_one(model: Any, rows: Sequence[Rendered]) -> list[float]:
    """A batch-of-one transformers loop: the whole log-softmax, of which the response's tokens are picked."""
    import torch

    values = []
    with torch.inference_mode():
        for row in rows:
            ids = torch.tensor([row.ids], device=model.device)
            logps = model(ids).logits[0].log_softmax(-1)
            values.append(float(logps[row.start - 1 : -1].gather(1, ids[0, row.start :, None]).float().sum()))
    return values


def rewards_one_by_one(model: Any, rows: Sequence[Rendered]) -> list[float]:
    """The rewards in batches of one."""
    import torch

    with torch.inference_mode():
        return [float(model(torch.tensor([row.ids], device=model.device)).logits[0, 0]) for row in rows]


def padded(rows: Sequence[Rendered], device: Any) -> tuple[Any, Any]:
    """Ids and attention mask, padded on the right."""
    import torch

    longest = max(len(row.ids) for row in rows)
    ids = torch.tensor([row.ids + [0] * (longest - len(row.ids)) for row in rows], device=device)
    mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows], device=device)
    return ids, mask


def in_padded_batches(model: Any, rows: Sequence[Rendered], size: int = 8) -> list[float]:
    """Batches in the rows' order, padded, the whole log-softmax: what a script with a data loader does."""
    import torch

    values = []
    with torch.inference_mode():
        for first in range(0, len(rows), size):
            some = rows[first : first + size]
            ids, mask = padded(some, model.device)
            logps = model(ids, attention_mask=mask).logits.log_softmax(-1)
            for i, row in enumerate(some):
                at = slice(row.start - 1, len(row.ids) - 1)
                picked = logps[i, at].gather(1, ids[i, row.start : len(row.ids), None])
                values.append(float(picked.float().sum()))
    return values


def rewards_in_padded_batches(model: Any, rows: Sequence[Rendered], size: int = 8) -> list[float]:
    """The rewards in padded batches, in the rows' order."""
    import torch

    values: list[float] = []
    with torch.inference_mode():
        for first in range(0, len(rows), size):
            ids, mask = padded(rows[first : first + size], model.device)
            values += model(ids, attention_mask=mask).logits[:, 0].float().tolist()
    return values


def kept(
    works: Mapping[str, Callable[[], list[float]]], found: dict[str, list[float]]
) -> dict[str, Callable[[], object]]:
    """The same works, their numbers kept in `found` by name."""
    return {name: lambda name=name, work=work: found.update({name: work()}) for name, work in works.items()}  # type: ignore[misc]


def worst(found: Sequence[float], wanted: Sequence[float], rows: Sequence[Rendered]) -> float:
    """Largest difference in nats per token."""
    return max(abs(a - b) / row.response_tokens for a, b, row in zip(found, wanted, rows, strict=True))


def open_causal(folder: str, dtype: str = "float32", device: str = "cpu") -> tuple[Any, Any]:
    """Ours, and transformers' own model."""
    import torch
    from transformers import AutoModelForCausalLM

    from curate.backends.torch_models import TorchLogprobs

    backend = TorchLogprobs(ModelSpec(folder, device=device, dtype=dtype))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval().to(device)
    return backend, model
