"""Benchmarks: ratios of curate to a named peer, both timed in turn in one run, with the numbers' largest difference.

    python -m tests.bench [NAME ...]      logps, pairing, select, startup

Machines are noisy: only the ratios of one run mean anything, and none is asserted. What was tried is in LOG.md.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import pairing

ROUNDS = 3


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(name: str, ours: Callable[[], object], peer_name: str, peer: Callable[[], object], note: str = "") -> None:
    """Time both in turn and print the median ratio peer / ours."""
    ours(), peer()
    pairs = [(timed(ours), timed(peer)) for _ in range(ROUNDS)]
    ratios = [theirs / own for own, theirs in pairs]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    line = f"{name}: {statistics.median(ratios):.2f}x {peer_name} ({spread}; {mine:.2f} s against {other:.2f} s)"
    sys.stdout.write(f"{line}{'; ' + note if note else ''}\n")


def make_model(folder: Path) -> None:
    """A randomly initialised Llama of 20M parameters with a 32k vocabulary."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 320, "intermediate_size": 896, "num_hidden_layers": 8, "num_attention_heads": 5}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=32000, num_key_value_heads=5, max_position_embeddings=4096, tie_word_embeddings=True, **sizes
        )
        LlamaForCausalLM(config).save_pretrained(folder)


def bench_logps() -> None:
    """Log-probabilities of 160 responses of mixed lengths against a batch-of-one transformers loop, float32."""
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM

    from curate.backends import ModelSpec
    from curate.backends.torch_models import TorchLogprobs
    from curate.render import Rendered
    from curate.scorers.batching import token_batches
    from curate.scorers.model_scorers import CPU_BATCH_TOKENS

    generator = np.random.default_rng(0)
    starts = generator.integers(20, 75, 160)
    lengths = starts + generator.gamma(2.0, 94.0, 160).astype(int) + 1
    rows = [
        Rendered(generator.integers(0, 32000, n).tolist(), int(s), "exact")
        for n, s in zip(lengths, starts, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder))
        backend = TorchLogprobs(ModelSpec(folder))
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found: dict[str, list[float]] = {}

    def ours() -> None:
        values = [0.0] * len(rows)
        for batch in token_batches(lengths.tolist(), CPU_BATCH_TOKENS):
            for position, value in zip(batch, backend.logps([rows[i] for i in batch]), strict=True):
                values[position] = value
        found["ours"] = values

    def one_by_one() -> None:
        values = []
        with torch.inference_mode():
            for row in rows:
                ids = torch.tensor([row.ids])
                logps = model(ids).logits[0].log_softmax(-1)
                values.append(float(logps[row.start - 1 : -1].gather(1, ids[0, row.start :, None]).sum()))
        found["loop"] = values

    ours(), one_by_one()
    counts = [row.response_tokens for row in rows]
    worst = max(abs(a - b) / n for a, b, n in zip(found["ours"], found["loop"], counts, strict=True))
    ratio("logps", ours, "a batch-of-one transformers loop", one_by_one, f"largest difference {worst:.1e} nats/token")


def bench_select() -> None:
    """The top 10% of 2M scored rows against a bare Polars read, sort and write."""
    import numpy as np
    import polars as pl

    import curate

    generator = np.random.default_rng(0)
    rows = 2_000_000
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "scored.parquet", Path(folder) / "best.parquet"
        ids = pl.Series("pair_id", np.arange(rows)).cast(pl.String).str.zfill(32)
        pl.DataFrame({"pair_id": ids, "dcrm": generator.normal(size=rows)}).write_parquet(source)

        def bare() -> None:
            frame = pl.read_parquet(source).with_row_index("row")
            frame.sort("dcrm", descending=True).head(rows // 10).sort("row").drop("row").write_parquet(out)

        ratio("select", lambda: curate.select(source, out, by="dcrm", top="10%"), "bare Polars", bare)


def bench_startup() -> None:
    """`curate --help` against an empty Python."""
    command = [sys.executable, "-m", "curate", "--help"]
    ours = lambda: subprocess.run(command, check=True, capture_output=True)  # noqa: E731
    empty = lambda: subprocess.run([sys.executable, "-c", ""], check=True)  # noqa: E731
    ratio("startup", ours, "an empty Python", empty)


def main() -> None:
    """Run the benchmarks named on the command line, or all of them."""
    known = {"logps": bench_logps, "pairing": pairing.main, "select": bench_select, "startup": bench_startup}
    for name in sys.argv[1:] or known:
        known[name]()


if __name__ == "__main__":
    main()
