from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset, load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig

from curate.demo.world import make_pairs
from tests.commands.helpers import run_score, run_select
from tests.exporters.golden import run_export


@dataclass(frozen=True)
class World:
    """The demo's selected pairs, scored for TRL and exported; and ways to train on them."""

    folder: Path
    models: Path
    data: Dataset

    def model(self, role: str) -> Any:
        return AutoModelForCausalLM.from_pretrained(self.models / role, dtype=torch.float32)

    @property
    def tokenizer(self) -> Any:
        return AutoTokenizer.from_pretrained(self.models / "policy")

    def args(self, steps: int = 3, **more: Any) -> DPOConfig:
        plain = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "report_to": [], "seed": 1}
        saved = {"output_dir": str(self.folder / "trained"), "save_strategy": "no", "logging_steps": 1}
        return DPOConfig(
            **{**plain, **saved, "max_steps": steps, "per_device_train_batch_size": 4, "disable_tqdm": True, **more}
        )

    def trainer(self, kind: Any, data: Dataset | None = None, ref_model: Any = None, **more: Any) -> Any:
        torch.manual_seed(0)
        return kind(
            model=self.model("policy"),
            ref_model=ref_model,
            args=more.pop("args", None) or self.args(),
            train_dataset=data if data is not None else self.data,
            processing_class=self.tokenizer,
            **more,
        )


def losses(trainer: Any) -> list[float]:
    trainer.train()
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


@pytest.fixture(scope="session")
def world(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("trl")
    pairs = folder / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in make_pairs(120, 7)))
    models = {role: str(demo_models / role) for role in ("policy", "reference")}
    run_score(pairs, folder / "scored.parquet", reward=(str(demo_models / "reward"),), match="trl", **models)
    run_select(folder / "scored.parquet", folder / "best.parquet", by="bees", top="50%")
    run_export(folder / "best.parquet", folder / "out", "trl")
    data = load_dataset("parquet", data_files=str(folder / "out" / "train.parquet"), split="train")
    return World(folder, demo_models, data)
