"""Rewards of pairs against batches of one and padded batches."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification

from curate.backends import ModelSpec
from curate.backends.torch_models import TorchRewards
from tests.bench import rows as rows_of
from tests.bench.timing import in_turn, matrix_rate, ratios, say, share_of_peak

PAIRS = 40


def main() -> None:
    """The 20M-parameter body with a head of one output, float32; each peer's largest difference beside it."""
    rows = rows_of.pairs_of_rows(PAIRS)
    with tempfile.TemporaryDirectory() as folder:
        path = rows_of.make_model(Path(folder), "SequenceClassification")
        backend = TorchRewards(ModelSpec(path, device="cpu"))
        model = AutoModelForSequenceClassification.from_pretrained(path, dtype=torch.float32).eval()
    found: dict[str, list[float]] = {}
    peers = {
        "ours": lambda: rows_of.ours(backend, rows),
        "batch of one": lambda: rows_of.rewards_one_by_one(model, rows),
        "padded, unsorted, 8": lambda: rows_of.rewards_in_padded_batches(model, rows),
    }
    taken = in_turn({"matrices": matrix_rate(), **rows_of.kept(peers, found)})
    say(f"rewards: ours {share_of_peak(rows_of.flops(backend.loaded.config, rows, head=False), taken)}")
    for name in list(peers)[1:]:
        off = max(abs(a - b) for a, b in zip(found["ours"], found[name], strict=True))
        say(f"  {ratios(taken, 'ours', name)} {name}; {off:.1e} reward units")
