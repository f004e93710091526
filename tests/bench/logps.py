"""Log-probabilities of pairs against a batch-of-one loop, padded batches, and TRL's precomputed reference."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curate.render import Rendered
from tests.bench import rows as rows_of
from tests.bench.timing import in_turn, matrix_rate, ratios, say, share_of_peak

PAIRS = 40


def main() -> None:
    """A Llama of 20M parameters, a vocabulary of 32k, 40 pairs, float32; each peer's largest difference beside it."""
    rows = rows_of.pairs_of_rows(PAIRS)
    with tempfile.TemporaryDirectory() as folder:
        path = rows_of.make_model(Path(folder))
        backend, model = rows_of.open_causal(path)
        found: dict[str, list[float]] = {}
        peers: dict[str, Callable[[], list[float]]] = {
            "ours": lambda: rows_of.ours(backend, rows),
            "batch of one": lambda: rows_of.one_by_one(model, rows),
            "padded, unsorted, 8": lambda: rows_of.in_padded_batches(model, rows),
            "TRL's precompute, float32": trl_precompute(path, rows, bf16=False),
            "TRL's precompute, bfloat16 as by default": trl_precompute(path, rows, bf16=True),
        }
        taken = in_turn({"matrices": matrix_rate(), **rows_of.kept(peers, found)})
    say(f"logps: ours {share_of_peak(rows_of.flops(backend.loaded.config, rows), taken)}")
    for name in list(peers)[1:]:
        say(f"  {ratios(taken, 'ours', name)} {name}; {rows_of.worst(found['ours'], found[name], rows):.1e} nats/token")


def trl_precompute(path: str, rows: Sequence[Rendered], bf16: bool) -> Callable[[], list[float]]:
    """TRL's own pass over these very tokens, without its tokenising: sums for chosen and rejected in turn."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
    from trl import DPOConfig, DPOTrainer

    def text(ids: Sequence[int]) -> str:
        return " ".join(f"t{i}" for i in ids)

    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    table = {
        "prompt": [text(one.ids[: one.start]) for one, _ in pairs],
        # TRL appends the end-of-text token itself; white space keeps the words apart
        "chosen": [" " + text(one.ids[one.start : -1]) + " " for one, _ in pairs],
        "rejected": [" " + text(other.ids[other.start : -1]) + " " for _, other in pairs],
    }
    folder = tempfile.mkdtemp()
    arguments = DPOConfig(
        folder, use_cpu=not torch.cuda.is_available(), bf16=bf16, report_to=[], disable_tqdm=True, max_length=None
    )
    tokenizer = PreTrainedTokenizerFast.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    trainer = DPOTrainer(model, args=arguments, train_dataset=Dataset.from_dict(table), processing_class=tokenizer)
    trainer._precompute_model_hash = None
    calls = iter(range(10**6))

    def run() -> list[float]:
        trainer._precompute_model_hash = str(next(calls))  # else the first round's result would be read again
        made: Any = trainer._precompute_ref_logps(
            trainer.train_dataset, "train", trainer.args.per_device_train_batch_size
        )
        both = zip(made["ref_chosen_logps"], made["ref_rejected_logps"], strict=True)
        return [value for pair in both for value in pair]

    return run
