from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from curate.demo import run as demo
from curate.demo.model_folder import copy_models
from curate.errors import StoreError
from curate.progress import Silent

MODELS = ("policy", "reference", "reward")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A small demo, and the seeds of the models that it trains."""
    trained: list[int] = []

    def train(folder: Path, *, seed: int, progress: Any) -> None:
        trained.append(seed)
        copy_models(folder)

    for name, size in {"PAIRS": 60, "PROMPTS": 10, "RESPONSES": 3, "MOST_TOKENS": 24}.items():
        monkeypatch.setattr(demo, name, size)
    monkeypatch.setattr(demo, "train_models", train)
    return trained


def test_everything_is_there_the_same_again_whatever_the_threads_and_nothing_is_trained(
    small: list[int], tmp_path: Path
) -> None:
    first = {name: path.read_bytes() for name, path in demo.run(tmp_path, Silent()).files.items()}
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        result = demo.run(tmp_path, Silent())
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert {name: path.read_bytes() for name, path in result.files.items()} == first
    assert small == []
    for name in MODELS:
        assert AutoTokenizer.from_pretrained(tmp_path / "models" / name).chat_template
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "models" / "policy").num_parameters() < 300_000
    assert pl.read_parquet(tmp_path / "results" / "scored.parquet").height == 60
    assert result.selections[0][:2] == ("all pairs", 60)


@pytest.mark.parametrize("name", ["pairs.jsonl", "prompts.jsonl"])
def test_data_of_the_users_own_is_left_alone(tmp_path: Path, name: str) -> None:
    mine = tmp_path / "data" / name
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(StoreError, match=f"something else: data/{name}"):
        demo.run(tmp_path, Silent())
    assert mine.read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["data"]


def test_models_are_trained_when_asked_for(small: list[int], tmp_path: Path) -> None:
    demo.run(tmp_path, Silent(), seed=5, train=True)
    assert small == [5]
