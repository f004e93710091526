from __future__ import annotations

import math
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from curate.demo import tiny, train
from curate.demo.train import Amounts, train_models
from curate.demo.world import make_pairs, render


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
    pairs = [pair for pair in make_pairs(800, 9) if pair["gold_chosen"] != pair["gold_rejected"]]
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
    pairs = [pair for pair in make_pairs(150, 12) if pair["gold_chosen"] != pair["gold_rejected"]]
    agree = 0
    for pair in pairs:
        logps = [[_logps(model, tokenizer, pair[k]) for k in ("chosen", "rejected")] for model in models]
        margin = (logps[0][0] - logps[0][1]) - (logps[1][0] - logps[1][1])
        agree += margin * (pair["gold_chosen"] - pair["gold_rejected"]) > 0
    assert agree / len(pairs) >= 0.8


FEW = Amounts(lm_rows=320, lm_steps=30, policy_rows=64, policy_steps=4, reward_pairs=32, reward_steps=40)
FEWEST = Amounts(lm_rows=64, lm_steps=3, policy_rows=32, policy_steps=2, reward_pairs=32, reward_steps=3)


@pytest.fixture(scope="module")
def barely_trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[float]]]:
    """Models after a few steps, and the loss of every step of each stage."""
    folder = tmp_path_factory.mktemp("trained") / "models"
    seen: list[float] = []
    losses: dict[str, list[float]] = {"reference": [], "policy": [], "reward": []}
    take_step = train._step

    def watched(loss: torch.Tensor, adam: Any, schedule: Any) -> None:
        seen.append(loss.item())
        take_step(loss, adam, schedule)

    def progress(stage: str, step: int, total: int) -> None:
        if stage in losses:
            losses[stage].append(seen[-1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "_step", watched)
        train_models(folder, seed=3, amounts=FEW, progress=progress)
    return folder, losses


def test_the_loss_of_every_stage_falls(barely_trained: tuple[Path, dict[str, list[float]]]) -> None:
    losses = barely_trained[1]
    assert [len(one) for one in losses.values()] == [30, 4, 40]
    # An untrained network knows nothing: ln 1024 for a token, ln 2 for a pair, and ln 2 for an item in both.
    assert losses["reference"][0] == pytest.approx(math.log(1024) + math.log(2), abs=0.5)
    assert mean(losses["reference"][-5:]) < 0.75 * losses["reference"][0]
    assert losses["policy"][-1] < losses["policy"][0]
    assert losses["reward"][0] == pytest.approx(2 * math.log(2), abs=0.5)
    # Its 32 pairs come again in every step, so they can be learnt by heart.
    assert mean(losses["reward"][-5:]) < 0.5 * losses["reward"][0]


@torch.inference_mode()
def test_what_is_left_is_what_was_trained(barely_trained: tuple[Path, dict[str, list[float]]]) -> None:
    folder, _ = barely_trained
    tokenizer = AutoTokenizer.from_pretrained(folder / "policy")
    texts = [(pair["chosen"][:-1], pair["chosen"][-1]["content"]) for pair in make_pairs(50, 4)]
    ids, targets, _ = tiny.collate(tiny.encode(tokenizer, texts), tokenizer.pad_token_id)
    for name in ("reference", "policy"):
        model = AutoModelForCausalLM.from_pretrained(folder / name).eval()
        loss = torch.nn.functional.cross_entropy(model(ids).logits.flatten(0, 1), targets.flatten())
        assert loss < 0.75 * math.log(1024), name
    rewards = _rewards(folder, tokenizer, [pair["chosen"] for pair in make_pairs(50, 4)])
    assert rewards.isfinite().all()
    assert rewards.std() > 0


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(tmp_path: Path) -> None:
    threads, random = torch.get_num_threads(), torch.random.get_rng_state()
    made = []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            folder = tmp_path / str(count)
            train_models(folder, seed=3, amounts=FEWEST)
            assert torch.get_num_threads() == count
            made.append({one.relative_to(folder): one.read_bytes() for one in folder.rglob("*.*")})
    finally:
        torch.set_num_threads(threads)
    assert len(made[0]) > 10
    assert made[0] == made[1]
    assert torch.equal(random, torch.random.get_rng_state())


def test_a_killed_run_leaves_no_models(tmp_path: Path) -> None:
    threads, random = torch.get_num_threads(), torch.random.get_rng_state()

    def killed(stage: str, step: int, total: int) -> None:
        if stage == "reference" and step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_models(tmp_path / "models", amounts=FEW, progress=killed)
    assert not (tmp_path / "models").exists()
    assert torch.equal(random, torch.random.get_rng_state())
    assert torch.get_num_threads() == threads
