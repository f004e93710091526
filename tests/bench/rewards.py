"""Rewards of pairs: batches of one, padded batches and vLLM's classify against ours."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bench import peers
from tests.bench import rows as rows_of
from tests.bench.contenders import VLLM_PYTHON, Contender, race
from tests.bench.timing import ratios, say, share_of_peak

PAIRS = 48


def main() -> None:
    """The 20M-parameter body with a head of one output, float32; each peer's largest difference beside it."""
    rows = rows_of.pairs_of_rows(PAIRS)
    with tempfile.TemporaryDirectory() as folder:
        given = (rows_of.make_model(Path(folder), "SequenceClassification"), rows)
        contenders = {
            "ours": Contender(peers.our_rewards, given),
            "matrices": Contender(peers.matrices),
            "batch of one": Contender(peers.looped_rewards, given),
            "padded, unsorted, 8": Contender(peers.padded_rewards, given),
        }
        if VLLM_PYTHON.exists():
            contenders["vLLM's classify"] = Contender(peers.vllm_rewards, given, VLLM_PYTHON)
        taken, found = race(contenders)
        config = rows_of.config_of(folder)
    say(f"rewards: ours {share_of_peak(rows_of.flops(config, rows, head=False), taken, found)}")
    for name in list(contenders)[2:]:
        off = max(abs(a - b) for a, b in zip(found["ours"], found[name], strict=True))
        say(f"  {ratios(taken, 'ours', name)} {name}; {off:.1e} reward units")
