"""A GPU's part: how much of what it multiplies at best is reached, with random models of real shapes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import torch

from curate.backends import ModelSpec
from curate.backends.torch.loading import LoadedModel
from curate.backends.torch.scoring import TorchLogprobs
from curate.render import Rendered
from tests.bench import peers
from tests.bench import rows as rows_of
from tests.bench.timing import matrix_rate, say

SHAPES = {
    "0.5B": ("Qwen2Config", (896, 4864, 24, 14, 2, 151936)),
    "1.5B": ("Qwen2Config", (1536, 8960, 28, 12, 2, 151936)),
    "3B": ("Qwen2Config", (2048, 11008, 36, 16, 2, 151936)),
    "8B": ("LlamaConfig", (4096, 14336, 32, 32, 8, 128256)),
}
SIZES = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
)
SECONDS = 10.0


def main() -> None:
    """Log-probabilities in bfloat16: pairs as they come, and 8 responses of 400 tokens to prompts of 200."""
    if not torch.cuda.is_available():
        say("gpu: no CUDA device here; skipped")
        return
    multiply = matrix_rate("bfloat16", "cuda", 8192)
    multiply()
    peak = multiply() / fastest(multiply)
    say(f"gpu: {torch.cuda.get_device_name()}; a product of 8192 x 8192 runs at {peak / 1e12:.0f} TFLOP/s")
    for name in SHAPES:
        backend = open_random(name)
        held = torch.cuda.memory_allocated()
        for kind, rows in (
            ("pairs", rows_of.pairs_of_rows(400)),
            ("8 responses", rows_of.many_responses(200, 400, 8, 32)),
        ):
            torch.cuda.reset_peak_memory_stats()
            tokens, seconds, work = run(backend, rows)
            above = (torch.cuda.max_memory_allocated() - held) / 2**30
            say(
                f"  {name}, {kind}: {tokens / seconds:,.0f} tokens/s, {work / seconds / peak:.0%} of that rate,"
                f" {above:.2f} GiB above the weights, batches of {backend.batch_tokens} tokens; {backend.notes}"
            )
        say(f"  {name}, a batch-of-one loop: {loop(backend):,.0f} tokens/s")
        backend.close()


def fastest(work: Callable[[], object], times: int = 10) -> float:
    """Seconds of the fastest of several."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def open_random(name: str) -> TorchLogprobs:
    """A model of random weights, on the GPU; never written to disk."""
    import transformers
    from transformers import AutoModelForCausalLM

    kind, sizes = SHAPES[name]
    config = getattr(transformers, kind)(**dict(zip(SIZES, sizes, strict=True)), max_position_embeddings=8192)
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    loaded = LoadedModel(model, model.model, "cuda:0", "bfloat16", 0, None, model.lm_head)
    with patch("curate.backends.torch.scoring.load", return_value=loaded):
        return TorchLogprobs(ModelSpec.of(name))


def run(backend: Any, rows: Sequence[Rendered]) -> tuple[int, float, float]:
    """Tokens of all rows, seconds, and FLOPs, over some seconds."""
    peers.read_by(backend, rows[:16])
    rounds, start = 0, time.perf_counter()
    while rounds == 0 or time.perf_counter() - start < SECONDS:
        peers.read_by(backend, rows)
        rounds += 1
    seconds = time.perf_counter() - start
    work = rows_of.flops(backend.loaded.config, rows)
    return rounds * sum(len(row.ids) for row in rows), seconds, rounds * work


def loop(backend: Any) -> float:
    """Tokens a second of transformers' own model in batches of one."""
    model = backend.loaded.model
    model.set_attn_implementation("sdpa")
    rows = rows_of.pairs_of_rows(20)
    peers.one_by_one(model, rows[:4])
    seconds = fastest(lambda: peers.one_by_one(model, rows), 2)
    return sum(len(row.ids) for row in rows) / seconds
