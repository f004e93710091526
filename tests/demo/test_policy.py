from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, pstdev

import polars as pl

import curate
from curate.demo.gold import gold_reward, style_of
from curate.demo.world import make_prompts


def test_policy_is_well_formed_varied_and_better_than_the_reference(demo_models: Path, tmp_path: Path) -> None:
    data = tmp_path / "prompts.jsonl"
    data.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in make_prompts(100, 6)))
    gold = {}
    for name in ("policy", "reference"):
        out = tmp_path / f"{name}.parquet"
        curate.generate(
            data, out, policy=str(demo_models / name), samples=4, max_tokens=64, seed=1, keep_duplicates=True
        )
        rows = pl.read_parquet(out).to_dicts()
        gold[name] = [gold_reward(row["prompt"], text) for row in rows for text in row["responses"]]
        if name == "policy":
            assert mean(style_of(text) is not None for row in rows for text in row["responses"]) >= 0.9
            assert mean(reason == "stop" for row in rows for reason in row["finish_reasons"]) >= 0.95
    assert mean(gold["policy"]) > mean(gold["reference"]) + 0.15
    assert pstdev(gold["policy"]) > 0.15
