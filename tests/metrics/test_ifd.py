from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from curate.demo.world import make_pairs
from curate.errors import SettingsError
from curate.metrics.registry import compute
from tests.backends.fake_server import logp, serving
from tests.commands.helpers import run_pair, run_score, run_select, write_jsonl


def ifd(**columns: list[float | None]) -> list[float | None]:
    found: list[float | None] = compute("ifd", pl.DataFrame(columns), {})[0].to_list()
    return found


def test_golden() -> None:
    # with the prompt 20 / 10 = 2 nats a token, alone 4: 0.5; 9 / 3 = 3 over 2: the prompt hurts, 1.5
    assert ifd(policy_chosen_logps=[-20.0, -9.0], chosen_tokens=[10, 3], policy_chosen_alp_alone=[-4.0, -2.0]) == [
        0.5,
        1.5,
    ]


def test_null_where_it_has_no_value() -> None:
    assert ifd(
        policy_chosen_logps=[None, -9.0, -9.0], chosen_tokens=[10, 3, 3], policy_chosen_alp_alone=[-1.0, None, 0.0]
    ) == [None, None, None]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def read_alone(model: Any, context: list[int], response: list[int]) -> float:
    """Mean NLL of the response behind the context: a batch of one, the rest in NumPy's float64."""
    with torch.no_grad():
        logits = model(torch.tensor([context + response])).logits[0].double().numpy()
    logps = log_softmax(logits[len(context) - 1 : -1])
    return float(-np.mean([row[token] for row, token in zip(logps, response, strict=True)]))


@pytest.mark.parametrize("max_length", [None, 48])
def test_both_means_are_those_of_a_batch_of_one(demo_models: Path, tmp_path: Path, max_length: int | None) -> None:
    """The authors' way: behind the assistant's header, and both means over the same response tokens."""
    rows = make_pairs(12, 3)
    policy = str(demo_models / "policy")
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    run_score(data, tmp_path / "s.parquet", policy=policy, unconditional=True, max_length=max_length)
    tokenizer = AutoTokenizer.from_pretrained(policy)
    model = AutoModelForCausalLM.from_pretrained(policy, dtype=torch.float32).eval()
    header = tokenizer("<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]
    cut = 0
    for given, row in zip(rows, pl.read_parquet(tmp_path / "s.parquet").to_dicts(), strict=True):
        for side in ("chosen", "rejected"):
            prompt = given[side][:-1]
            before = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)
            whole = tokenizer.apply_chat_template(given[side], return_dict=False)
            assert whole[: len(before)] == before
            response = whole[len(before) : max_length]
            cut += len(response) < len(whole) - len(before)
            assert row[f"{side}_tokens"] == (len(response) or None)
            if not response:
                assert row[f"policy_{side}_alp_alone"] is None
                continue
            alone = read_alone(model, header, response)
            assert row[f"policy_{side}_alp_alone"] == pytest.approx(-alone, abs=1e-4)
            if side == "chosen":
                assert row["ifd"] == pytest.approx(read_alone(model, before, response) / alone, abs=1e-4)
    assert (cut > 0) == (max_length is not None)


def test_a_server_is_asked_about_the_same_ids(demo_models: Path, tmp_path: Path) -> None:
    policy = str(demo_models / "policy")
    rows = make_pairs(3, 3)
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    with serving() as server:
        run_score(data, tmp_path / "s.parquet", policy=f"{server.url}#tiny@{policy}", unconditional=True)
        asked = [body["prompt"] for path, body in server.asked if path == "/v1/completions"]
    tokenizer = AutoTokenizer.from_pretrained(policy)
    header = tokenizer("<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]
    for given, row in zip(rows, pl.read_parquet(tmp_path / "s.parquet").to_dicts(), strict=True):
        before = tokenizer.apply_chat_template(given["chosen"][:-1], add_generation_prompt=True, return_dict=False)
        whole = tokenizer.apply_chat_template(given["chosen"], return_dict=False)
        alone = header + whole[len(before) :]
        assert whole in asked
        assert alone in asked
        steps = list(pairwise(alone))[len(header) - 1 :]
        assert row["policy_chosen_alp_alone"] == pytest.approx(sum(logp(*step) for step in steps) / len(steps))


def test_pairs_of_candidates_have_it_too(tmp_path: Path) -> None:
    row = {"prompt": "p", "responses": ["a b", "c d e", "f"], "rewards": [1.0, 3.0, 2.0]}
    data = write_jsonl(tmp_path / "c.jsonl", [row | {"prompt": f"p {i}"} for i in range(3)])
    run_score(data, tmp_path / "s.parquet", policy="fake:1", unconditional=True)
    assert pl.read_parquet(tmp_path / "s.parquet")["policy_alp_alone"].list.len().to_list() == [3, 3, 3]
    run_pair(tmp_path / "s.parquet", tmp_path / "p.parquet", strategy="max-min")
    assert pl.read_parquet(tmp_path / "p.parquet")["ifd"].null_count() == 0


def test_a_policy_is_needed(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", [{"prompt": "q", "chosen": "a", "rejected": "b"}])
    with pytest.raises(SettingsError, match="No model measures the responses alone"):
        run_score(data, tmp_path / "s.parquet", unconditional=True)
    run_score(data, tmp_path / "s.parquet", policy="fake:1")
    with pytest.raises(SettingsError, match="ifd needs the column policy_chosen_alp_alone") as error:
        run_select(tmp_path / "s.parquet", tmp_path / "o.parquet", by="ifd", top="1")
    assert "--unconditional" in error.value.hint
