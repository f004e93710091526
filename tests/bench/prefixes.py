"""What sharing the prompt wins, of what it can save."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curate.backends import ModelSpec
from curate.backends import shared_prefixes as prefixes
from curate.backends.torch.scoring import TorchLogprobs
from curate.render import Rendered
from tests.bench import rows as rows_of
from tests.bench.peers import read_by
from tests.bench.timing import in_turn, say

LAYERS = {
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 4,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
}
"""Four layers of a model of 0.5B parameters. In a narrow model attention, which sharing hardly saves, takes over."""
SHAPES = ((200, 400, 8), (2000, 400, 2))


def main() -> None:
    """N responses of R tokens to a prompt of P: the same code with and without sharing, float32.

    The ideal is what the layers' tokens come to, (N P + sum R) / (P + sum R); it bounds the gain of a model whose head
    is small.
    """
    with tempfile.TemporaryDirectory() as folder:
        backend = TorchLogprobs(ModelSpec.of(rows_of.make_model(Path(folder), **LAYERS), device="cpu", dtype="float32"))
    for prompt, response, responses in SHAPES:
        rows = rows_of.many_responses(prompt, response, responses)
        one_shape(backend, rows, f"P={prompt}, R={response}, N={responses}")


def one_shape(backend: Any, rows: Sequence[Rendered], name: str) -> None:
    """Print the gain of one shape, for the layers alone and with the head."""
    config = backend.loaded.config
    short = [Rendered(row.ids, len(row.ids) - 1, "exact") for row in rows]
    found: dict[str, list[float]] = {}

    def run(some: Sequence[Rendered], least: int, key: str) -> None:
        before, prefixes.LEAST_SHARED = prefixes.LEAST_SHARED, least
        try:
            found[key] = read_by(backend, some)
        finally:
            prefixes.LEAST_SHARED = before

    never, least = 10**9, prefixes.LEAST_SHARED
    taken = in_turn(
        {
            "layers, shared": lambda: run(short, least, "layers, shared"),
            "layers, apart": lambda: run(short, never, "layers, apart"),
            "all, shared": lambda: run(rows, least, "all, shared"),
            "all, apart": lambda: run(rows, never, "all, apart"),
        }
    )
    tokens = sum(len(row.ids) for row in rows)
    shared = tokens - (len(rows) - 1) * rows[0].start
    off = rows_of.worst(found["all, shared"], found["all, apart"], rows)
    say(f"prefixes: {name}; tokens {tokens} / {shared} = {tokens / shared:.2f}; {off:.1e} nats/token apart")
    for part, some, head in (("layers", short, False), ("all", rows, True)):
        ideal = rows_of.flops(config, some, False, head) / rows_of.flops(config, some, True, head)
        gain = statistics.median(
            apart / both for both, apart in zip(taken[f"{part}, shared"], taken[f"{part}, apart"], strict=True)
        )
        saved = (1 - 1 / gain) / (1 - 1 / ideal)
        say(f"  {part}: {gain:.2f}x; by arithmetic {ideal:.2f}x; {saved:.0%} of the time that it can save")
