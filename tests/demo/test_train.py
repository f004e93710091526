from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from curate.demo.train import models_ready, train_models
from curate.demo.world import make_pairs, render
from curate.errors import StoreError


@pytest.fixture(scope="module")
def tokenizer(demo_models: Path) -> Any:
    return AutoTokenizer.from_pretrained(demo_models / "reward")


def test_tokenizer_takes_any_text_and_adds_nothing(tokenizer: Any) -> None:
    text = "Grüße, 世界! \t🙂\n1. apple"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert (tokenizer.pad_token, tokenizer.eos_token, tokenizer.bos_token) == ("<|pad|>", "<|im_end|>", None)
    assert tokenizer("<|im_end|>")["input_ids"] == [tokenizer.eos_token_id]
    assert len(tokenizer) == 1024


def test_template_equals_render(tokenizer: Any) -> None:
    for pair in make_pairs(30, 11):
        for start in (True, False):
            text = tokenizer.apply_chat_template(pair["chosen"], tokenize=False, add_generation_prompt=start)
            assert text == render(pair["chosen"], add_generation_prompt=start)


@torch.inference_mode()
def _rewards(folder: Path, tokenizer: Any, conversations: list[list[dict[str, str]]]) -> torch.Tensor:
    model = AutoModelForSequenceClassification.from_pretrained(folder / "reward").eval()
    texts = [render(one) for one in conversations]
    parts = [tokenizer(texts[at : at + 100], padding=True, return_tensors="pt") for at in range(0, len(texts), 100)]
    return torch.cat([model(**part).logits.squeeze(-1) for part in parts])


def test_reward_model_agrees_with_gold(demo_models: Path, tokenizer: Any) -> None:
    pairs = [pair for pair in make_pairs(1_500, 9) if pair["gold_chosen"] != pair["gold_rejected"]]
    gold = torch.tensor([pair["gold_chosen"] - pair["gold_rejected"] for pair in pairs])
    chosen, rejected = (_rewards(demo_models, tokenizer, [one[k] for one in pairs]) for k in ("chosen", "rejected"))
    right = (chosen - rejected) * gold > 0
    assert right.float().mean() >= 0.85
    assert right[gold.abs() >= 0.2].float().mean() >= 0.9
    alone = _rewards(demo_models, tokenizer, [pairs[0]["chosen"]])
    assert alone[0].item() == pytest.approx(chosen[0].item(), abs=1e-4)


@torch.inference_mode()
def _logps(model: Any, tokenizer: Any, conversation: list[dict[str, str]]) -> float:
    start = len(tokenizer(render(conversation[:-1], add_generation_prompt=True))["input_ids"])
    ids = torch.tensor(tokenizer(render(conversation))["input_ids"])
    rows = model(ids[None]).logits[0, start - 1 : -1].log_softmax(-1)
    return float(rows.gather(1, ids[start:, None]).sum())


def test_implicit_margins_carry_signal(demo_models: Path, tokenizer: Any) -> None:
    models = [AutoModelForCausalLM.from_pretrained(demo_models / name).eval() for name in ("policy", "reference")]
    pairs = [pair for pair in make_pairs(300, 12) if pair["gold_chosen"] != pair["gold_rejected"]]
    agree = 0
    for pair in pairs:
        logps = [[_logps(model, tokenizer, pair[k]) for k in ("chosen", "rejected")] for model in models]
        margin = (logps[0][0] - logps[0][1]) - (logps[1][0] - logps[1][1])
        agree += margin * (pair["gold_chosen"] - pair["gold_rejected"]) > 0
    assert agree / len(pairs) >= 0.8


def test_ready_only_for_the_same_seed(demo_models: Path, tmp_path: Path) -> None:
    assert models_ready(demo_models, 0)
    assert not models_ready(demo_models, 1)
    assert not models_ready(tmp_path, 0)
    assert not demo_models.with_name("models.partial").exists()
    for name in ("policy", "reference", "reward"):
        assert (demo_models / name / "model.safetensors").stat().st_size < 1_000_000


@pytest.mark.parametrize("name", ["models", "models.partial"])
def test_a_strangers_folder_is_left_alone(tmp_path: Path, name: str) -> None:
    mine = tmp_path / name / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(StoreError):
        train_models(tmp_path / "models")
    assert mine.read_text() == "mine"


def test_a_killed_run_leaves_no_models(tmp_path: Path) -> None:
    before = torch.random.get_rng_state()

    def killed(stage: str, step: int, total: int) -> None:
        if stage == "reference" and step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_models(tmp_path / "models", progress=killed)
    assert not (tmp_path / "models").exists()
    assert torch.equal(before, torch.random.get_rng_state())
