"""Log-probabilities of pairs: a batch-of-one loop, padded batches, TRL's reference pass and vLLM against ours."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bench import peers
from tests.bench import rows as rows_of
from tests.bench.contenders import VLLM_PYTHON, Contender, race
from tests.bench.timing import ratios, say, share_of_peak

PAIRS = 48


def main() -> None:
    """A Llama of 20M parameters, a vocabulary of 32k, 48 pairs, float32; each peer's largest difference beside it."""
    rows = rows_of.pairs_of_rows(PAIRS)
    with tempfile.TemporaryDirectory() as folder:
        given = (rows_of.make_model(Path(folder)), rows)
        contenders = {
            "ours": Contender(peers.our_logps, given),
            "matrices": Contender(peers.matrices),
            "batch of one": Contender(peers.looped_logps, given),
            "padded, unsorted, 8": Contender(peers.padded_logps, given),
            "TRL's precompute, float32": Contender(peers.trl_precompute, (*given, False)),
            "TRL's precompute, bfloat16 as by default": Contender(peers.trl_precompute, (*given, True)),
        }
        if VLLM_PYTHON.exists():
            contenders["vLLM's prompt log-probabilities"] = Contender(peers.vllm_logps, given, VLLM_PYTHON)
        taken, found = race(contenders)
        config = rows_of.config_of(folder)
    say(f"logps: ours {share_of_peak(rows_of.flops(config, rows), taken, found)}")
    for name in list(contenders)[2:]:
        say(f"  {ratios(taken, 'ours', name)} {name}; {rows_of.worst(found['ours'], found[name], rows):.1e} nats/token")
