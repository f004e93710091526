import json
from pathlib import Path

import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from curate.demo.world import make_pairs
from curate.errors import SettingsError
from curate.metrics.registry import compute
from tests.pipeline.helpers import run_pair, run_score, run_select, write_jsonl


def ifd(**columns: list[float | None]) -> list[float | None]:
    found: list[float | None] = compute("ifd", pl.DataFrame(columns), {}, frozenset())[0].to_list()
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


def test_measured_alone_equals_a_forward_without_the_prompt(demo_models: Path, tmp_path: Path) -> None:
    data = tmp_path / "d.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in make_pairs(6, 3)))
    policy = str(demo_models / "policy")
    run_score(data, tmp_path / "s.parquet", policy=policy, unconditional=True)
    frame = pl.read_parquet(tmp_path / "s.parquet")
    tokenizer = AutoTokenizer.from_pretrained(policy)
    model = AutoModelForCausalLM.from_pretrained(policy, dtype=torch.float32).eval()
    bos = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    for row in frame.to_dicts():
        prompt = [{"role": "user", "content": row["prompt"]}] if isinstance(row["prompt"], str) else row["prompt"]
        answer = row["chosen"] if isinstance(row["chosen"], str) else row["chosen"][-1]["content"]
        before = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)
        whole = tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": answer}], return_dict=False)
        alone = torch.tensor([bos + whole[len(before) :]])
        with torch.no_grad():
            logps = model(alone).logits[0].log_softmax(-1)[:-1].gather(1, alone[0, 1:, None])
        assert row["policy_chosen_alp_alone"] == pytest.approx(logps.double().mean().item(), abs=1e-4)
        expected = row["policy_chosen_logps"] / row["chosen_tokens"] / row["policy_chosen_alp_alone"]
        assert row["ifd"] == pytest.approx(expected, rel=1e-12)


def test_pairs_of_candidates_have_it_too(tmp_path: Path) -> None:
    row = {"prompt": "p", "responses": ["a b", "c d e", "f"], "rewards": [1.0, 3.0, 2.0]}
    data = write_jsonl(tmp_path / "c.jsonl", [row | {"prompt": f"p {i}"} for i in range(3)])
    run_score(data, tmp_path / "s.parquet", policy="fake:1", unconditional=True)
    assert pl.read_parquet(tmp_path / "s.parquet")["policy_alp_alone"].list.len().to_list() == [3, 3, 3]
    run_pair(tmp_path / "s.parquet", tmp_path / "p.parquet", strategy="max-min")
    assert pl.read_parquet(tmp_path / "p.parquet")["ifd"].null_count() == 0


def test_a_policy_is_needed(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", [{"prompt": "q", "chosen": "a", "rejected": "b"}])
    with pytest.raises(SettingsError, match="Nothing measures the responses alone"):
        run_score(data, tmp_path / "s.parquet", unconditional=True)
    run_score(data, tmp_path / "s.parquet", policy="fake:1")
    with pytest.raises(SettingsError, match="ifd needs the column policy_chosen_alp_alone") as error:
        run_select(tmp_path / "s.parquet", tmp_path / "o.parquet", by="ifd", top="1")
    assert "--unconditional" in error.value.hint
