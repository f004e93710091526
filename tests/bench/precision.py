"""Bfloat16 on a CPU: speed against the float32 loop, and what it costs in the numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from tests.bench import peers
from tests.bench import rows as rows_of
from tests.bench.contenders import Contender, race
from tests.bench.timing import ratios, say

PAIRS = 48


def main() -> None:
    """The 20M-parameter Llama on 48 pairs; differences are to the float32 loop, in nats per token."""
    rows = rows_of.pairs_of_rows(PAIRS)
    with tempfile.TemporaryDirectory() as folder:
        path = rows_of.make_model(Path(folder))
        taken, found = race(
            {
                f"{who}, {dtype}": Contender(make, (path, rows, dtype))
                for dtype in ("bfloat16", "float32")
                for who, make in (("ours", peers.our_logps), ("loop", peers.looped_logps))
            }
        )
    say(f"precision: ours in bfloat16 {min(taken['ours, bfloat16']):.2f} s")
    for name in ("loop, float32", "loop, bfloat16", "ours, float32"):
        say(f"  {ratios(taken, 'ours, bfloat16', name)} {name}")
    wanted = np.array(found["loop, float32"])
    counts = np.array([row.response_tokens for row in rows])
    for name in ("ours, bfloat16", "loop, bfloat16", "ours, float32"):
        off = np.abs(np.array(found[name]) - wanted) / counts
        say(f"  {name}: {np.median(off):.1e} nats/token off in the median, {off.max():.1e} at most")
