"""Samples responses from a demo model on a CPU; knows nothing of the world's texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curate.demo.tiny import quiet

Message = dict[str, str]


def sample_candidates(
    model_folder: Path,
    prompts: Sequence[list[Message]],
    n: int,
    *,
    max_new_tokens: int = 64,
    temperature: float = 1.0,
    seed: int = 0,
    batch_size: int = 64,
) -> list[dict[str, Any]]:
    """Samples `n` responses to each prompt.

    The same arguments give the same texts on one machine. The batch size belongs to the arguments: it decides which
    random numbers a prompt gets.

    Args:
        model_folder: a causal language model with its tokenizer and chat template.
        prompts: conversations that end with a user message.
        n: responses per prompt.
        max_new_tokens: where a response is cut, in tokens, its end of turn counted.
        temperature: above 0; the logits are divided by it.
        seed: of the sampling.
        batch_size: prompts per batch; `n` times as many rows.

    Returns:
        Per prompt, in the given order: `prompt` (messages), `responses` (texts, special tokens left out),
        `finish_reasons` (`stop` if the model ended its turn, else `length`) and `tokens` (counts of generated tokens,
        end of turn included).
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(model_folder, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
    texts = [tokenizer.apply_chat_template(one, tokenize=False, add_generation_prompt=True) for one in prompts]
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    # Prompts of like length share a batch, so that little of it is padding.
    order = sorted(range(len(ids)), key=lambda at: (len(ids[at]), at))
    options = {"max_new_tokens": max_new_tokens, "temperature": temperature, "num_return_sequences": n}
    found: list[dict[str, Any]] = [{} for _ in prompts]
    # The CPU generator alone: `torch.manual_seed` would also reseed devices, which nothing here restores.
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            answers = _sample_batch(model, tokenizer, [ids[row] for row in rows], options)
            for at, row in enumerate(rows):
                found[row] = _record(tokenizer, prompts[row], answers[at * n : (at + 1) * n])
    return found


def _sample_batch(model: Any, tokenizer: Any, ids: list[list[int]], options: dict[str, Any]) -> list[list[int]]:
    """The generated token ids, end of turn included, padding left out; `n` in a row for each prompt."""
    batch = tokenizer.pad({"input_ids": ids}, padding=True, return_tensors="pt")  # (B, T), padded on the left
    made = model.generate(**batch, do_sample=True, top_k=0, top_p=1.0, **options)  # (B * n, T + new)
    new = made[:, batch["input_ids"].shape[1] :].tolist()
    return [row[: row.index(tokenizer.eos_token_id) + 1] if tokenizer.eos_token_id in row else row for row in new]


def _record(tokenizer: Any, prompt: list[Message], answers: list[list[int]]) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "responses": tokenizer.batch_decode(answers, skip_special_tokens=True),
        "finish_reasons": ["stop" if ids[-1] == tokenizer.eos_token_id else "length" for ids in answers],
        "tokens": [len(ids) for ids in answers],
    }
