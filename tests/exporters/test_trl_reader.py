"""TRL's own preparation of the exports made for it: hard texts come out as they went in."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from datasets import load_dataset
from trl import DPOTrainer
from trl.data_utils import apply_chat_template, is_conversational, maybe_extract_prompt

from curate.tokens import HubTokenizer
from tests.chat import PLAIN, save_tokenizer
from tests.exporters.golden import run_export, write
from tests.trainers.rows import TEXTS, table

KEPT = [name for name in TEXTS if name != "no user last"]


def said(prompt: list[dict[str, str]], text: str = "") -> str:
    """The conversation in the words of the test's template, which writes `role:content` and a line's end."""
    return "".join(f"{one['role'][0]}:{one['content']}\n" for one in prompt) + "a:" + (text and f"{text}\n")


@pytest.fixture
def tokenizer(tmp_path: Path) -> Any:
    return HubTokenizer(save_tokenizer(tmp_path, PLAIN, []))._tokenizer


def exported(tmp_path: Path, to: str) -> Any:
    result = run_export(write(tmp_path / "d.jsonl", table()), tmp_path / "out", to)
    assert result.rejected and set(result.rejected) <= {
        reason for reason in pl.read_parquet(result.rejects)["reason"] if "ends with the assistant" in reason
    }
    return load_dataset("parquet", data_files=str(tmp_path / "out" / "train.parquet"), split="train")


def test_dpo_tokenizes_the_texts_of_every_row(tmp_path: Path, tokenizer: Any) -> None:
    rows = exported(tmp_path, "trl")
    args = SimpleNamespace(dataset_num_proc=None, max_length=None, truncation_mode="keep_start")
    made = list(DPOTrainer._prepare_dataset(SimpleNamespace(_tokenizer=tokenizer), rows, tokenizer, args, "train"))
    assert len(made) == len(KEPT)
    for row, name in zip(made, KEPT, strict=True):
        prompt, chosen, rejected = TEXTS[name]
        for side, text in (("chosen", chosen), ("rejected", rejected)):
            ids = tokenizer(f"{said(prompt)}{text}\n", add_special_tokens=False)["input_ids"]
            assert row["prompt_ids"] + row[f"{side}_ids"] == ids, name


def test_the_reward_trainer_renders_the_texts_of_every_row(tmp_path: Path, tokenizer: Any) -> None:
    rows = exported(tmp_path, "trl-reward")
    assert rows["margin"][:] == [2.0] * len(KEPT)
    for row, name in zip(rows, KEPT, strict=True):
        prompt, chosen, rejected = TEXTS[name]
        assert is_conversational(row)
        for side, text in (("chosen", chosen), ("rejected", rejected)):
            rendered = tokenizer.apply_chat_template(row[side], tokenize=False)
            assert rendered == f"{said(prompt)}{text}\n", name


def test_unpaired_rows_are_rendered_as_they_were_written(tmp_path: Path, tokenizer: Any) -> None:
    result = run_export(write(tmp_path / "d.jsonl", table()), tmp_path / "out", "kto")
    rows = load_dataset("parquet", data_files=str(tmp_path / "out" / "train.parquet"), split="train")
    kept = [name for name in KEPT if name not in ("blank", "empty", "same")]
    assert (result.pairs, result.rows) == (len(kept), 2 * len(kept))
    for row, (name, side) in zip(rows, ((name, side) for name in kept for side in (0, 1)), strict=True):
        prompt, *texts = TEXTS[name]
        made = apply_chat_template(maybe_extract_prompt(row), tokenizer)
        assert (made["prompt"], made["completion"]) == (said(prompt), f"{texts[side]}\n")
        assert row["label"] == (side == 0)
