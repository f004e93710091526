"""`curate score --also wpo,ches`: what is read in the policy's pass besides log-probabilities."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from curate.demo.world import make_pairs
from curate.errors import SettingsError
from curate.metrics.registry import compute
from tests.backends.models import open_alone
from tests.commands.helpers import (
    MODELS,
    Notes,
    candidate_rows,
    pair_rows,
    run_pair,
    run_score,
    run_select,
    write_jsonl,
)

COLUMNS = {"policy_chosen_collision", "policy_rejected_collision", "hidden_product", "hidden_square"}
METRICS = {"wpo_weight", "ches", "ches_norm"}


def test_nothing_is_read_that_was_not_asked_for(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    kept = {(): set(), ("wpo",): {"wpo_weight"}, ("ches",): {"ches", "ches_norm"}, ("wpo", "ches"): METRICS}
    for also, metrics in kept.items():
        run_score(data, tmp_path / "o.parquet", also=also, fresh=True, **MODELS)
        found = pl.read_parquet(tmp_path / "o.parquet")
        assert METRICS & set(found.columns) == metrics
        assert (set(found.columns) >= COLUMNS) == (len(also) == 2)
        assert also or not COLUMNS & set(found.columns)


def test_numbers_are_those_of_a_plain_forward_pass(tmp_path: Path, demo_models: Path) -> None:
    """Wholly apart: the template, a batch of one, then both formulas in NumPy."""
    from transformers import AutoTokenizer

    policy = str(demo_models / "policy")
    rows = make_pairs(8, 5)
    run_score(write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o.parquet", policy=policy, also=("wpo", "ches"))
    tokenizer, model = AutoTokenizer.from_pretrained(policy), open_alone(policy)
    for row, found in zip(rows, pl.read_parquet(tmp_path / "o.parquet").to_dicts(), strict=True):
        sides = [read(tokenizer, model, row[side]) for side in ("chosen", "rejected")]
        (m, s, n), (other_m, other_s, other_n) = sides
        assert (found["chosen_tokens"], found["rejected_tokens"]) == (n, other_n)
        assert found["wpo_weight"] == pytest.approx(min(1.0, np.exp(m + other_m)), abs=1e-4)
        assert found["ches"] == pytest.approx(s @ other_s - s @ s, rel=1e-3, abs=1e-2)
        assert found["ches_norm"] == pytest.approx(s @ other_s / (n * other_n) - s @ s / n**2, rel=1e-3, abs=1e-3)


def read(tokenizer: Any, model: Any, messages: list[dict[str, str]]) -> tuple[float, np.ndarray, int]:
    """WPO's mean term, the summed hidden states, and the number of tokens, of the last message."""
    before = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=False)
    ids = tokenizer.apply_chat_template(messages, return_dict=False)
    with torch.no_grad():
        found = model(torch.tensor([ids]), output_hidden_states=True)
    place = slice(len(before) - 1, len(ids) - 1)
    logits = found.logits[0, place].double().numpy()
    logps = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    drawn = logps[np.arange(len(logps)), ids[len(before) :]]
    means = np.mean(drawn - np.logaddexp.reduce(2 * logps, axis=1))
    return float(means), found.hidden_states[-1][0, place].double().numpy().sum(0), len(logps)


def test_the_same_model_as_reference_is_still_measured_once(tmp_path: Path, demo_models: Path) -> None:
    policy = str(demo_models / "policy")
    data = write_jsonl(tmp_path / "d.jsonl", make_pairs(4, 5))
    run_score(data, tmp_path / "o.parquet", policy=policy, reference=policy, also=("wpo", "ches"))
    found = pl.read_parquet(tmp_path / "o.parquet")
    assert found["policy_chosen_logps"].to_list() == found["ref_chosen_logps"].to_list()
    assert found["wpo_weight"].null_count() == 0


def test_the_cache_gives_the_same_bytes(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(30))
    given = {**MODELS, "also": ("wpo", "ches")}
    run_score(data, tmp_path / "a.parquet", **given)
    for _ in range(2):
        run_score(data, tmp_path / "b.parquet", cache=tmp_path / "cache", fresh=True, **given)
        assert pl.read_parquet(tmp_path / "a.parquet").equals(pl.read_parquet(tmp_path / "b.parquet"))


def test_equal_responses_have_a_ches_of_0(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", [{"prompt": "p", "chosen": "a b", "rejected": "a b"}, *pair_rows(3)])
    run_score(data, tmp_path / "o.parquet", also=("ches",), **MODELS)
    found = pl.read_parquet(tmp_path / "o.parquet")
    assert found["ches"][0] == 0 == found["ches_norm"][0]
    assert 0 not in found["ches"][1:].to_list()
    assert found["ches"].to_list() == (found["hidden_product"] - found["hidden_square"]).to_list()


def test_candidates_have_collisions_that_pairs_inherit(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "c.jsonl", candidate_rows(6))
    run_score(data, tmp_path / "s.parquet", also=("wpo",), **MODELS)
    run_pair(tmp_path / "s.parquet", tmp_path / "p.parquet", strategy="max-min")
    found = pl.read_parquet(tmp_path / "p.parquet")
    assert found["wpo_weight"].to_list() == compute("wpo_weight", found, {})[0].to_list()
    assert found["wpo_weight"].null_count() == 0
    with pytest.raises(SettingsError, match="ches is a number of two responses"):
        run_score(data, tmp_path / "o.parquet", also=("ches",), **MODELS)


@pytest.mark.parametrize(
    ("given", "what", "hint"),
    [
        ({"also": ("wpo",)}, "No policy reads the responses", "Give --policy"),
        ({"also": ("wpo",), "reference": "fake:1"}, "No policy reads the responses", "Give --policy"),
        ({"also": ("ches",), "policy": "http://127.0.0.1:9#m"}, "A policy behind a server tells neither", "torch"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, given: dict[str, Any], what: str, hint: str) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(3))
    with pytest.raises(SettingsError, match=what) as error:
        run_score(data, tmp_path / "o.parquet", **given)
    assert hint in error.value.hint
    assert not list(tmp_path.glob("o.parquet*"))


@pytest.mark.parametrize(("by", "also"), [("wpo_weight", "wpo"), ("ches", "ches"), ("ches_norm", "ches")])
def test_select_says_how_to_measure_them(tmp_path: Path, by: str, also: str) -> None:
    run_score(write_jsonl(tmp_path / "d.jsonl", pair_rows(3)), tmp_path / "s.parquet", **MODELS)
    with pytest.raises(SettingsError, match=f"{by} needs the column") as error:
        run_select(tmp_path / "s.parquet", tmp_path / "o.parquet", by=by, top="1")
    assert f"--also {also}" in error.value.hint


def test_what_an_earlier_policy_left_is_not_mixed_with_a_new_one(tmp_path: Path) -> None:
    """The collision, the response alone and the hidden states of fake:1 say nothing of fake:7."""
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    before = run_score(data, tmp_path / "o.parquet", also=("wpo", "ches"), unconditional=True, **MODELS)
    notes = Notes()
    run_score(before.out, tmp_path / "n.parquet", notes, policy="fake:7")
    found = pl.read_parquet(tmp_path / "n.parquet")
    for column in (*COLUMNS, *METRICS, "ifd", "policy_chosen_alp_alone"):
        assert found[column].null_count() == found.height, column
    assert "may be of another policy" in " ".join(notes.said)
    run_score(before.out, tmp_path / "same.parquet", reference="fake:7")
    kept = pl.read_parquet(tmp_path / "same.parquet")
    assert kept["wpo_weight"].null_count() == 0
