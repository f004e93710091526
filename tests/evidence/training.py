"""One training: `CuratedDPOTrainer` on a table of pairs, from the reference."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from tests.evidence.cells import Amounts

BETA = 0.1


def train(pairs: pl.DataFrame, start: Path, out: Path, loss: str, rate: float, amounts: Amounts, seed: int) -> None:
    """Train `start` on pairs and save the model in `out`.

    Args:
        pairs: `chosen`, `rejected`, and `margin` or `weight` where the loss reads them.
        loss: a loss of `curate.trl`; `beta_dpo` is DPO with the weights of the data.
    """
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from curate.trl import CuratedDPOTrainer

    extra = {"madpo": ["margin"], "beta_dpo": ["weight"]}.get(loss, [])
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = CuratedDPOTrainer(
            model=AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32),
            args=_arguments(scratch, rate, amounts, seed),
            train_dataset=Dataset.from_list([trainer_row(row, extra) for row in pairs.iter_rows(named=True)]),
            processing_class=AutoTokenizer.from_pretrained(start),
            loss="dpo" if loss == "beta_dpo" else loss,
        )
        trainer.train()
        trainer.save_model(str(out))
    # The trainer's tokenizer may have been changed for training; what is sampled must be the reference's own.
    AutoTokenizer.from_pretrained(start).save_pretrained(out)


def trainer_row(row: dict[str, Any], extra: list[str]) -> dict[str, Any]:
    """TRL's form of whole conversations, or of responses next to a prompt of messages as `curate pair` writes them."""
    *before, chosen = row["chosen"]
    said = {"prompt": before or row["prompt"], "chosen": [chosen], "rejected": [row["rejected"][-1]]}
    return {**said, **{name: row[name] for name in extra}}


def _arguments(scratch: str, rate: float, amounts: Amounts, seed: int) -> Any:
    from trl import DPOConfig

    return DPOConfig(
        output_dir=scratch,
        max_steps=amounts.steps,
        per_device_train_batch_size=amounts.batch,
        learning_rate=rate,
        lr_scheduler_type="linear",
        beta=BETA,
        seed=seed,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
