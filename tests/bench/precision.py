"""Bfloat16 on a CPU: speed against the float32 loop, and what it costs in the numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from tests.bench import rows as rows_of
from tests.bench.timing import in_turn, ratios, say

PAIRS = 40


def main() -> None:
    """The 20M-parameter Llama on 40 pairs; differences are to the float32 loop, in nats per token."""
    rows = rows_of.pairs_of_rows(PAIRS)
    with tempfile.TemporaryDirectory() as folder:
        path = rows_of.make_model(Path(folder))
        half, half_model = rows_of.open_causal(path, "bfloat16")
        whole, model = rows_of.open_causal(path)
    found: dict[str, list[float]] = {}
    peers = {
        "ours, bfloat16": lambda: rows_of.ours(half, rows),
        "ours, float32": lambda: rows_of.ours(whole, rows),
        "loop, float32": lambda: rows_of.one_by_one(model, rows),
        "loop, bfloat16": lambda: rows_of.one_by_one(half_model, rows),
    }
    taken = in_turn(rows_of.kept(peers, found))
    say(f"precision: ours in bfloat16 {min(taken['ours, bfloat16']):.2f} s")
    for name in ("loop, float32", "loop, bfloat16", "ours, float32"):
        say(f"  {ratios(taken, 'ours, bfloat16', name)} {name}")
    wanted = np.array(found["loop, float32"])
    counts = np.array([row.response_tokens for row in rows])
    for name in ("ours, bfloat16", "loop, bfloat16", "ours, float32"):
        off = np.abs(np.array(found[name]) - wanted) / counts
        say(f"  {name}: {np.median(off):.1e} nats/token off in the median, {off.max():.1e} at most")
