from __future__ import annotations

from pathlib import Path
from statistics import mean, pstdev

import torch

from curate.demo.generate import sample_candidates
from curate.demo.gold import gold_reward, style_of
from curate.demo.world import make_prompts


def test_same_seed_same_texts_and_the_random_state_is_left_alone(demo_models: Path) -> None:
    prompts = make_prompts(6, 4)
    before = torch.random.get_rng_state()
    first, again, other = (sample_candidates(demo_models / "policy", prompts, 3, seed=s) for s in (5, 5, 6))
    assert first == again
    assert first != other
    assert torch.equal(before, torch.random.get_rng_state())
    assert [row["prompt"] for row in first] == prompts
    assert all(len(row[key]) == 3 for row in first for key in ("responses", "finish_reasons", "tokens"))


def test_finish_reasons_and_token_counts(demo_models: Path) -> None:
    prompts = make_prompts(4, 4)
    for row in sample_candidates(demo_models / "policy", prompts, 2, max_new_tokens=3):
        assert row["finish_reasons"] == ["length", "length"]
        assert row["tokens"] == [3, 3]
    for row in sample_candidates(demo_models / "policy", prompts, 2, max_new_tokens=200):
        assert row["finish_reasons"] == ["stop", "stop"]
        assert not any("<|" in text for text in row["responses"])
        assert all(count >= 4 for count in row["tokens"])


def test_no_prompts_no_rows(demo_models: Path) -> None:
    assert sample_candidates(demo_models / "policy", [], 2) == []


def test_policy_is_well_formed_varied_and_better_than_the_reference(demo_models: Path) -> None:
    prompts = make_prompts(100, 6)
    gold = {}
    for name in ("policy", "reference"):
        rows = sample_candidates(demo_models / name, prompts, 4, seed=1)
        gold[name] = [gold_reward(row["prompt"], text) for row in rows for text in row["responses"]]
        if name == "policy":
            assert mean(style_of(text) is not None for row in rows for text in row["responses"]) >= 0.9
            assert mean(reason == "stop" for row in rows for reason in row["finish_reasons"]) >= 0.95
    assert mean(gold["policy"]) > mean(gold["reference"]) + 0.15
    assert pstdev(gold["policy"]) > 0.15
