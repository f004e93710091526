"""`curate generate` on made-up models."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import curate
from curate.errors import CurateError, InputError, SettingsError
from curate.plan.generation import Draws
from tests.chat import save_tokenizer
from tests.commands.helpers import (
    Notes,
    candidate_rows,
    pair_rows,
    prompt_rows,
    read_manifest,
    rows_of,
    run_generate,
    run_pair,
    run_score,
    write_jsonl,
)

LISTS = ("responses", "finish_reasons", "tokens", "sample_logps", "models", "temperatures")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "p.jsonl", prompt_rows())


def by_prompt(path: Path) -> dict[str, dict[str, Any]]:
    return {json.dumps(row["prompt"]): row for row in rows_of(path)}


def test_one_row_a_prompt_with_lists_of_equal_length(data, tmp_path):
    result = run_generate(data, tmp_path / "o.parquet")
    rows = rows_of(tmp_path / "o.parquet")
    assert (result.rows, result.prompts, result.responses) == (12, 12, 48)
    assert list(rows[0]) == ["id", "source", "prompt", *LISTS]
    assert [row["id"] for row in rows] == list(range(12))
    for given, row in zip(prompt_rows(), rows, strict=True):
        assert row["prompt"] == [{"role": "user", "content": given["prompt"]}]
        assert {len(row[name]) for name in LISTS} == {4}
        assert row["models"] == ["fake:1"] * 4
        assert row["temperatures"] == [1.0] * 4
        assert row["finish_reasons"] == ["stop"] * 4
        assert len(set(row["responses"])) == 4
    manifest = read_manifest(tmp_path / "o.parquet")
    assert manifest["command"] == "generate"
    assert manifest["responses"] == {"drawn": 48, "written": 48}
    assert manifest["rows"] == {"read": 12, "written": 12, "rejected": {}}
    assert manifest["models"] == ["fake:1"]
    assert str(tmp_path) not in json.dumps(manifest)
    assert not (tmp_path / "o.parquet.work").exists()


def test_the_fakes_log_probabilities_are_those_that_score_measures(data, tmp_path):
    """The fake's text makes the very tokens again that were drawn, so here the two numbers are of the same tokens."""
    run_generate(data, tmp_path / "o.parquet")
    run_score(tmp_path / "o.parquet", tmp_path / "s.parquet", policy="fake:1")
    for row in rows_of(tmp_path / "s.parquet"):
        assert row["policy_logps"] == row["sample_logps"]


def test_same_command_same_bytes_and_a_folder_too(data, tmp_path):
    run_generate(data, tmp_path / "a.parquet")
    run_generate(data, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    run_generate(data, tmp_path / "folder")
    assert pl.read_parquet(tmp_path / "folder" / "*.parquet").equals(pl.read_parquet(tmp_path / "a.parquet"))
    card = (tmp_path / "folder" / "README.md").read_text()
    assert all(f"| `{name}` | list\\<" in card for name in LISTS)
    assert "under the model itself" in card


def test_a_prompts_responses_do_not_depend_on_the_rest_of_the_data(data, tmp_path):
    run_generate(data, tmp_path / "a.parquet")
    other = write_jsonl(tmp_path / "q.jsonl", [*prompt_rows()[::-2], {"prompt": "one more"}])
    run_generate(other, tmp_path / "b.parquet", batch_tokens=1)
    first, second = by_prompt(tmp_path / "a.parquet"), by_prompt(tmp_path / "b.parquet")
    shared = first.keys() & second.keys()
    assert len(shared) == 6
    assert all(first[p]["responses"] == second[p]["responses"] for p in shared)


def test_more_samples_and_further_models_leave_the_first_ones_as_they_are(data, tmp_path):
    run_generate(data, tmp_path / "a.parquet", samples=2, temperature=0.7)
    run_generate(data, tmp_path / "b.parquet", samples=5, temperature="1,0.7", policy=("fake:2", "fake:1"))
    few, many = by_prompt(tmp_path / "a.parquet"), by_prompt(tmp_path / "b.parquet")
    for prompt, row in few.items():
        rows = zip(*(many[prompt][name] for name in ("responses", "models", "temperatures")), strict=True)
        same = [text for text, model, temperature in rows if (model, temperature) == ("fake:1", 0.7)]
        assert same[:2] == row["responses"]


def test_another_seed_gives_other_responses(data, tmp_path):
    run_generate(data, tmp_path / "a.parquet")
    run_generate(data, tmp_path / "b.parquet", seed=1)
    pairs = zip(rows_of(tmp_path / "a.parquet"), rows_of(tmp_path / "b.parquet"), strict=True)
    assert all(not set(one["responses"]) & set(other["responses"]) for one, other in pairs)


def test_several_models_and_temperatures_in_one_pool(data, tmp_path):
    result = run_generate(
        data, tmp_path / "o.parquet", samples=3, policy=("fake:1", "big=fake:2"), temperature=(0, 0.5), max_tokens=5
    )
    row = rows_of(tmp_path / "o.parquet")[0]
    drawn = list(zip(row["models"], row["temperatures"], strict=True))
    # greedy once, then three at 0.5, for each model; equal texts fall out
    whole = [(m, t) for m in ("fake:1", "big") for t in (0.0, 0.5, 0.5, 0.5)]
    assert [one for one in whole if one in drawn] == [one for one in whole if one in set(drawn)]
    assert [(w.model, w.temperature, w.drawn) for w in result.writers] == [
        ("fake:1", 0.0, 12),
        ("fake:1", 0.5, 36),
        ("big", 0.0, 12),
        ("big", 0.5, 36),
    ]
    rows = rows_of(tmp_path / "o.parquet")
    assert result.responses == sum(len(one["responses"]) for one in rows) == sum(w.kept for w in result.writers)
    assert all(
        n <= 5 and (r == "length") <= (n == 5)
        for one in rows
        for n, r in zip(one["tokens"], one["finish_reasons"], strict=True)
    )
    assert sum(w.cut for w in result.writers) > 0


def test_identical_responses_are_written_once_unless_kept(data, tmp_path):
    # with two tokens at most a response is one of 16 words, and mostly cut
    result = run_generate(data, tmp_path / "o.parquet", samples=30, max_tokens=2)
    rows = rows_of(tmp_path / "o.parquet")
    assert all(len(set(row["responses"])) == len(row["responses"]) for row in rows)
    kept = run_generate(data, tmp_path / "k.parquet", samples=30, max_tokens=2, keep_duplicates=True)
    for once, every in zip(rows, rows_of(tmp_path / "k.parquet"), strict=True):
        assert len(every["responses"]) == 30
        # the first of each text stays, in the order of the draws
        places = [every["responses"].index(text) for text in dict.fromkeys(every["responses"])]
        for name in LISTS:
            assert once[name] == [every[name][i] for i in places]
    assert (kept.responses, kept.writers[0].drawn) == (360, 360)
    assert result.responses == sum(len(row["responses"]) for row in rows) < 360
    assert read_manifest(tmp_path / "o.parquet")["responses"] == {"drawn": 360, "written": result.responses}


def test_a_prompt_that_stands_twice_is_sampled_once_unless_told_otherwise(tmp_path):
    rows = prompt_rows(3)
    data = write_jsonl(tmp_path / "p.jsonl", [*rows, {**rows[1], "id": 9}, {**rows[1], "id": 10}])
    result = run_generate(data, tmp_path / "o.parquet")
    assert (result.rows, result.prompts) == (5, 3)
    assert [row["id"] for row in rows_of(tmp_path / "o.parquet")] == [0, 1, 2]
    run_generate(data, tmp_path / "e.parquet", every_row=True)
    every = rows_of(tmp_path / "e.parquet")
    assert [row["id"] for row in every] == [0, 1, 2, 9, 10]
    assert every[:3] == rows_of(tmp_path / "o.parquet")
    assert len({text for row in every for text in row["responses"] if row["id"] in (1, 9, 10)}) == 12


def test_bad_rows_and_too_long_prompts_are_rejected(tmp_path):
    rows: list[Any] = [*prompt_rows(4), {"prompt": ""}, {"prompt": "word " * 60}, "{broken", {"id": 1, "prompt": None}]
    data = write_jsonl(tmp_path / "p.jsonl", rows)
    result = run_generate(data, tmp_path / "o.parquet", max_length=40)
    assert result.prompts == 4
    assert set(result.rejected.values()) == {1}
    reasons = set(result.rejected)
    assert {"the prompt is empty", "the prompt is longer than the 40 tokens that fake:1 has for it"} <= reasons
    assert result.rejects is not None
    assert pl.read_parquet(result.rejects)["reason"].n_unique() == 4
    assert read_manifest(tmp_path / "o.parquet")["rows"]["rejected"] == result.rejected
    with pytest.raises(InputError, match="A row cannot be used"):
        run_generate(data, tmp_path / "s.parquet", strict=True)
    with pytest.raises(InputError, match="No row can be used"):
        run_generate(data, tmp_path / "s.parquet", max_length=1)


def test_pairs_and_candidates_lend_their_prompts_and_keep_their_plain_columns(tmp_path):
    pairs = write_jsonl(tmp_path / "d.jsonl", pair_rows(5))
    run_score(pairs, tmp_path / "scored.parquet", policy="fake:1")
    run_generate(tmp_path / "scored.parquet", tmp_path / "o.parquet")
    assert list(rows_of(tmp_path / "o.parquet")[0]) == ["id", "source", "prompt", *LISTS]
    candidates = write_jsonl(tmp_path / "c.jsonl", candidate_rows(5))
    run_generate(candidates, tmp_path / "c.parquet")
    new = rows_of(tmp_path / "c.parquet")
    assert list(new[0]) == ["id", "prompt", *LISTS]
    assert all(
        not set(row["responses"]) & set(old["responses"]) for row, old in zip(new, candidate_rows(5), strict=True)
    )


OWN = {"operating_system": "x", "underscored_id": 7, "difficulty_score": 0.5, "rejection_rate": 0.1, "repo_name": "r"}
OLD = {"chosen_model": "m", "weight": 2.0, "chosen-rating": 4, "rating": 3.0, "dcrm": 0.1, "gamma_po_margin": 1.0}


def test_a_column_is_left_out_only_when_it_describes_the_old_responses_and_that_is_said(tmp_path):
    pairs = write_jsonl(tmp_path / "d.jsonl", [row | OWN | OLD for row in pair_rows(5)])
    notes = Notes()
    run_generate(pairs, tmp_path / "o.parquet", notes)
    assert list(rows_of(tmp_path / "o.parquet")[0]) == ["id", "source", *OWN, "prompt", *LISTS]
    said = notes.about("left out").partition(": ")[2].split(", ")
    assert sorted(said) == sorted(["chosen", "rejected", "score_chosen", "score_rejected", *OLD])


def test_the_output_feeds_score_and_pair(data, tmp_path):
    run_generate(data, tmp_path / "o.parquet", samples=6, max_tokens=12)
    run_score(tmp_path / "o.parquet", tmp_path / "s.parquet", reward=("fake:3",), policy="fake:1", reference="fake:2")
    result = run_pair(tmp_path / "s.parquet", tmp_path / "p.parquet")
    assert result.pairs > 6
    cut = {
        text
        for row in rows_of(tmp_path / "o.parquet")
        for text, why in zip(row["responses"], row["finish_reasons"], strict=True)
        if why == "length"
    }
    pairs = rows_of(tmp_path / "p.parquet")
    assert cut
    assert not cut & {row["chosen"][-1]["content"] for row in pairs}
    assert cut & {row["rejected"][-1]["content"] for row in pairs}
    assert {"id", "source"} <= set(pairs[0])
    # and straight to pair, which measures itself
    assert (
        run_pair(
            tmp_path / "o.parquet", tmp_path / "q.parquet", reward=("fake:3",), policy="fake:1", reference="fake:2"
        ).pairs
        == result.pairs
    )


# ---- what is refused


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"policy": ()}, "policy="),
        ({"policy": ("fake:1", "fake:1")}, "NAME=MODEL"),
        ({"policy": ("a=fake:1", "a=fake:2")}, "called a"),
        ({"policy": "./no/model"}, "no/model"),
        ({"temperature": -1}, "temperature="),
        ({"temperature": "0.7,hot"}, "hot"),
        ({"temperature": ()}, "temperature="),
        ({"temperature": (0.7, 0.7)}, "twice"),
        ({"top_p": 0}, "top_p="),
        ({"top_p": 1.5}, "top_p="),
        ({"samples": 0}, "samples=0"),
        ({"max_tokens": 0}, "max_tokens=0"),
        ({"options": {"dcrm": {"eps": "1"}}}, "no setting options"),
        ({"chat_template": "nowhere.jinja"}, "chat"),
    ],
)
def test_wrong_settings_are_refused_and_nothing_is_written(data, tmp_path, settings, told):
    with pytest.raises(CurateError) as caught:
        run_generate(data, tmp_path / "o.parquet", **settings)
    assert told in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.jsonl"]


def test_a_response_that_leaves_no_room_for_a_prompt_is_refused(data, tmp_path, demo_models):
    with pytest.raises(SettingsError, match="4096 tokens; 4096 for the response"):
        run_generate(data, tmp_path / "o.parquet", policy=str(demo_models / "policy"), max_tokens=4096)


def test_a_model_without_a_chat_template_is_refused(data, tmp_path):
    name = save_tokenizer(tmp_path / "m", None)
    with pytest.raises(CurateError, match="no chat template"):
        run_generate(data, tmp_path / "o.parquet", policy=name)


def test_seeds_differ_in_every_part_and_fit_in_63_bits():
    draws = Draws((0.0, 0.7, 1.0), 3, seed=5)
    assert draws.each == [(0.0, 0), (0.7, 0), (0.7, 1), (0.7, 2), (1.0, 0), (1.0, 1), (1.0, 2)]
    base = ("m", "p", 0, 0.7, 1)
    changed = [
        ("n", "p", 0, 0.7, 1),
        ("m", "q", 0, 0.7, 1),
        ("m", "p", 1, 0.7, 1),
        ("m", "p", 0, 1.0, 1),
        ("m", "p", 0, 0.7, 2),
    ]
    seeds = {draws.seed_of(*parts) for parts in (base, *changed)} | {Draws((0.7,), 3, seed=6).seed_of(*base)}
    assert len(seeds) == 7
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_python_face_takes_one_or_several(data, tmp_path):
    curate.generate(data, tmp_path / "a.parquet", policy="fake:1", samples=2, temperature=0.7)
    curate.generate([str(data)], out=str(tmp_path / "b.parquet"), policy=["fake:1"], samples=2, temperature=[0.7])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
