import dataclasses
import json
import math
import random
import shutil

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.backends import ModelSpec
from curate.backends.fake import FakeBackend, FakeTokenizer
from curate.errors import InputError, SettingsError, StoreError
from curate.jobs.select import select
from curate.plan.scoring import make_plan
from curate.progress import Silent
from curate.render import Renderer
from curate.responses.measure import measure_responses
from curate.responses.stage import stage
from curate.settings import ScoreSettings, SelectSettings, make
from curate.storage.workspace import Workspace
from tests.commands.helpers import (
    MODELS,
    Notes,
    candidate_rows,
    pair_rows,
    read_manifest,
    rows_of,
    run_score,
    sentence,
    write_jsonl,
)

TYPES = {
    "pair_id": pa.string(),
    "chosen_reward": pa.float64(),
    "rejected_reward": pa.float64(),
    "policy_chosen_logps": pa.float64(),
    "policy_rejected_logps": pa.float64(),
    "ref_chosen_logps": pa.float64(),
    "ref_rejected_logps": pa.float64(),
    "chosen_tokens": pa.int32(),
    "rejected_tokens": pa.int32(),
    "chosen_truncated": pa.bool_(),
    "rejected_truncated": pa.bool_(),
    "edit_distance": pa.int32(),
    "edit_distance_norm": pa.float64(),
    "embedding_distance": pa.float64(),
    "reward_margin": pa.float64(),
    "dpo_margin": pa.float64(),
    "simpo_margin": pa.float64(),
    "dcrm": pa.float64(),
    "alignment_potential": pa.float64(),
    "bees": pa.float64(),
    "flags": pa.list_(pa.string()),
}

COUNTING = """
calls = []
def length(batch):
    calls.extend((b["prompt"][-1]["content"], b["response"]) for b in batch)
    return [float(len(b["response"])) for b in batch]
def words(batch):
    return [float(len(b["response"].split())) for b in batch]
def vowels(batch):
    return [float(sum(c in "aeiou" for c in b["response"])) for b in batch]
def holes(batch):
    marks = {"none": None, "nan": float("nan"), "inf": float("inf")}
    return [marks.get(b["response"], 1.0) for b in batch]
def short(batch):
    return [1.0]
"""


@pytest.fixture
def functions(tmp_path, monkeypatch):
    """A module of reward functions in the working folder, under a name of this test's own."""
    name = f"rewards_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(COUNTING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def fake_logps(seed, prompt, response):
    rendered = Renderer(FakeTokenizer(), None, "keep_start").render([([{"role": "user", "content": prompt}], response)])
    return FakeBackend(ModelSpec.of(f"fake:{seed}")).logps(rendered)[0], rendered[0].response_tokens


def levenshtein(first, second):
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def test_contract_columns_have_their_types_behind_the_inputs_own(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "s.parquet", embedder="fake:4", **MODELS)
    schema = pq.read_schema(tmp_path / "s.parquet")
    assert schema.names[:7] == ["id", "prompt", "chosen", "rejected", "score_chosen", "score_rejected", "source"]
    assert len(schema.names) == len(set(schema.names))
    assert {name: schema.field(name).type for name in TYPES} == TYPES
    own = [{k: row[k] for k in schema.names[:7]} for row in rows_of(tmp_path / "s.parquet")]
    assert own == pair_rows()


def test_log_probabilities_are_those_of_each_row_alone(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "s.parquet", **MODELS)
    for row in rows_of(tmp_path / "s.parquet"):
        for side in ("chosen", "rejected"):
            assert (row[f"policy_{side}_logps"], row[f"{side}_tokens"]) == fake_logps(1, row["prompt"], row[side])
            assert row[f"ref_{side}_logps"] == fake_logps(2, row["prompt"], row[side])[0]


def test_distances_rewards_and_margins_of_an_independent_reading(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "s.parquet", embedder="fake:4", **MODELS)
    embedder = FakeBackend(ModelSpec.of("fake:4"))
    for row in rows_of(tmp_path / "s.parquet"):
        chosen, rejected = row["chosen"].split(), row["rejected"].split()
        assert row["edit_distance"] == levenshtein(chosen, rejected)
        norm = row["edit_distance"] / max(len(chosen), len(rejected))
        assert row["edit_distance_norm"] == pytest.approx(norm)
        a, b = (embedder.embed([row[side]])[0].astype(np.float64) for side in ("chosen", "rejected"))
        assert row["embedding_distance"] == pytest.approx(1 - a @ b, abs=1e-5)
        margin = row["score_chosen"] - row["score_rejected"]
        assert row["reward_margin"] == pytest.approx(margin)
        gains = [row[f"policy_{s}_logps"] - row[f"ref_{s}_logps"] for s in ("chosen", "rejected")]
        assert row["dpo_margin"] == pytest.approx(0.1 * (gains[0] - gains[1]))
        apart = abs(row["ref_chosen_logps"] - row["ref_rejected_logps"])
        dcrm = (1 / (1 + math.exp(-margin)) - 0.5) / (row["edit_distance"] + apart + 1.0)
        assert row["dcrm"] == pytest.approx(dcrm)


def test_equal_responses_to_one_prompt_are_measured_once(tmp_path, functions):
    rows = [*pair_rows(3), *pair_rows(3), {"id": 9, "prompt": "p", "chosen": "same", "rejected": "same"}]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    run_score(data, tmp_path / "s.parquet", reward=(f"python:{functions}:length",))
    calls = __import__(functions).calls
    assert len(calls) == len(set(calls)) == 7
    scored = rows_of(tmp_path / "s.parquet")
    assert [row["chosen_reward"] for row in scored] == [float(len(row["chosen"])) for row in rows]
    assert "identical" in scored[-1]["flags"]
    assert [row["pair_id"] for row in scored[:3]] == [row["pair_id"] for row in scored[3:6]]


def test_rewards_default_to_known_columns_and_can_be_named(tmp_path):
    rows = [{**row, "a": 2.0 * i, "b": float(i)} for i, row in enumerate(pair_rows())]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    run_score(data, tmp_path / "default.parquet")
    run_score(data, tmp_path / "named.parquet", reward=("columns:a,b",))
    default, named = rows_of(tmp_path / "default.parquet"), rows_of(tmp_path / "named.parquet")
    assert [row["chosen_reward"] for row in default] == [row["score_chosen"] for row in rows]
    assert [row["reward_margin"] for row in named] == [float(i) for i in range(len(rows))]


@pytest.mark.parametrize("how", ["mean", "min", "median", "zmean"])
def test_several_named_rewards_are_combined_as_numpy_does(tmp_path, functions, how):
    rows = pair_rows(9)
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    sources = (f"a=python:{functions}:length", f"b=python:{functions}:words", f"v=python:{functions}:vowels")
    run_score(data, tmp_path / "s.parquet", reward=sources, reward_combine=how)
    frame = pl.read_parquet(tmp_path / "s.parquet")
    texts = [text for row in rows for text in (row["chosen"], row["rejected"])]
    raw = np.array(
        [
            [len(t) for t in texts],
            [len(t.split()) for t in texts],
            [sum(c in "aeiou" for c in t) for t in texts],
        ],
        dtype=float,
    )
    wanted = {
        "mean": raw.mean(axis=0),
        "min": raw.min(axis=0),
        "median": np.median(raw, axis=0),
        "zmean": ((raw - raw.mean(axis=1, keepdims=True)) / raw.std(axis=1, keepdims=True)).mean(axis=0),
    }[how]
    found = frame.select("chosen_reward", "rejected_reward").to_numpy().ravel()
    np.testing.assert_allclose(found, wanted)
    for name, values in zip("abv", raw, strict=True):
        assert frame[f"chosen_reward_{name}"].to_list() == values[::2].tolist()
        assert frame[f"rejected_reward_{name}"].to_list() == values[1::2].tolist()


def test_a_reward_that_is_no_finite_number_is_null_and_so_are_its_metrics(tmp_path, functions):
    texts = ["none", "nan", "inf", "fine"]
    rows = [{"prompt": "p", "chosen": text, "rejected": f"other {text}"} for text in texts]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    run_score(data, tmp_path / "s.parquet", reward=(f"python:{functions}:holes",))
    scored = rows_of(tmp_path / "s.parquet")
    for name in ("chosen_reward", "reward_margin", "dcrm"):
        assert [row[name] is None for row in scored] == [True, True, True, False]
    assert ["no_reward" in row["flags"] for row in scored] == [True, True, True, False]


def test_a_null_in_one_source_makes_the_combined_reward_null(tmp_path, functions):
    rows = [{"prompt": "p", "chosen": text, "rejected": f"other {text}"} for text in ("none", "fine")]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    for how in ("mean", "min", "median", "zmean"):
        sources = (f"python:{functions}:holes", f"python:{functions}:length")
        run_score(data, tmp_path / f"{how}.parquet", reward=sources, reward_combine=how)
        assert [row["chosen_reward"] is None for row in rows_of(tmp_path / f"{how}.parquet")] == [True, False]


def test_a_reward_function_that_returns_too_few_numbers_is_an_error(tmp_path, functions):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    with pytest.raises(SettingsError, match="returned 1 values"):
        run_score(data, tmp_path / "s.parquet", reward=(f"python:{functions}:short",))
    assert not (tmp_path / "s.parquet").exists()


def test_flags(tmp_path):
    base = {"prompt": "p", "chosen": "good text", "rejected": "bad text", "score_chosen": 1.0, "score_rejected": 0.0}
    rows = [
        base,
        {**base, "rejected": "good text"},
        {**base, "score_rejected": 1.0},
        {**base, "chosen": ""},
        {**base, "score_rejected": 2.0},
        {**base, "rejected": "I'm sorry, but I can't do that."},
        {**base, "score_chosen": None},
    ]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    result = run_score(data, tmp_path / "s.parquet")
    flags = [row["flags"] for row in rows_of(tmp_path / "s.parquet")]
    assert flags == [[], ["identical"], ["tie"], ["empty"], ["rm_disagrees"], ["refusal"], ["no_reward"]]
    assert result.flags == dict.fromkeys(("identical", "tie", "empty", "rm_disagrees", "refusal", "no_reward"), 1)


def test_a_length_far_from_all_others_is_flagged(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        {"prompt": "p", "chosen": "a " * rng.integers(5, 12), "rejected": "b " * rng.integers(5, 12)} for _ in range(30)
    ]
    rows.append({"prompt": "p", "chosen": "a " * 5000, "rejected": "b b b b b b"})
    run_score(write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "s.parquet")
    flagged = ["length_outlier" in row["flags"] for row in rows_of(tmp_path / "s.parquet")]
    assert flagged == [False] * 30 + [True]


def test_max_length_cuts_and_says_so(tmp_path):
    rows = [
        {"prompt": "p", "chosen": "one two three four five six", "rejected": "one"},
        {"prompt": "p", "chosen": "one", "rejected": "two"},
    ]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    run_score(data, tmp_path / "s.parquet", policy="fake:1", max_length=14)
    scored = rows_of(tmp_path / "s.parquet")
    assert [row["chosen_truncated"] for row in scored] == [True, False]
    assert ["truncated" in row["flags"] for row in scored] == [True, False]
    run_score(data, tmp_path / "d.parquet", policy="fake:1", max_length=14, truncation="drop")
    dropped = rows_of(tmp_path / "d.parquet")
    assert [row["policy_chosen_logps"] is None for row in dropped] == [True, False]
    assert [row["chosen_tokens"] is None for row in dropped] == [True, False]


def test_what_any_model_or_the_data_cut_is_truncated(tmp_path):
    # The reward model reads 14 tokens at most, policy and reference everything: what it cut stays cut.
    rows = [
        {"prompt": "p", "chosen": "one two three four five six", "rejected": "one"},
        {"prompt": "p", "chosen": "one", "rejected": "two", "chosen_truncated": False, "rejected_truncated": True},
    ]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    plan = make_plan(
        make(ScoreSettings, {"data": (str(data),), "out": tmp_path / "o.parquet", "reward": ("fake:3",), **MODELS}),
        "pairs",
    )
    plan.scorers[0] = dataclasses.replace(plan.scorers[0], renderer=Renderer(FakeTokenizer(), 14, "keep_start"))
    assert [one.name for one in plan.scorers[1:]] == ["policy", "reference"]
    with Workspace(tmp_path / "o.parquet", {}, fresh=True) as workspace:
        staged = stage(plan.source, plan.layout, workspace, Silent(), as_pairs=True)
        numbers, _ = measure_responses(plan, staged, workspace, Silent())
    assert numbers["truncated"].tolist() == [1.0, 0.0, 0.0, 1.0]


BAD = [
    ("{broken", "JSON"),
    ({"prompt": "p", "chosen": None, "rejected": "r"}, "missing"),
    ({"prompt": "p", "chosen": 3, "rejected": "r"}, ""),
]


def test_bad_rows_go_beside_the_output_with_a_reason(tmp_path):
    rows = [*pair_rows(4), *(row for row, _ in BAD), *pair_rows(2, seed=5)]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    result = run_score(data, tmp_path / "s.parquet")
    assert result.rows == 6
    assert sum(result.rejected.values()) == len(BAD)
    assert result.rejects == tmp_path / "s.rejects.parquet"
    rejects = rows_of(result.rejects)
    assert len(rejects) == len(BAD)
    assert all(row["reason"] and row["row"] and "d.jsonl" in row["source"] for row in rejects)
    reasons = " ".join(row["reason"] for row in rejects)
    assert all(word in reasons for _, word in BAD)
    manifest = read_manifest(tmp_path / "s.parquet")
    assert manifest["rows"] == {"written": 6, "rejected": result.rejected}


def test_a_later_clean_run_removes_the_old_rejects(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", [*pair_rows(4), "{broken"])
    assert run_score(data, tmp_path / "s.parquet").rejects is not None
    write_jsonl(data, pair_rows(4))
    assert run_score(data, tmp_path / "s.parquet").rejects is None
    assert not (tmp_path / "s.rejects.parquet").exists()


def test_a_row_whose_score_column_is_broken_text_is_one_bad_row(tmp_path):
    rows = [{"prompt": f"p {i}", "responses": ["a", "b"], "judged": "[1, 2]"} for i in range(3)]
    data = write_jsonl(tmp_path / "d.jsonl", [*rows, {**rows[0], "judged": "[1,"}])
    result = run_score(data, tmp_path / "s.parquet", reward=("columns:judged",))
    assert (result.rows, sum(result.rejected.values())) == (3, 1)


def test_strict_makes_the_first_bad_row_an_error(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", [*pair_rows(4), "{broken"])
    with pytest.raises(InputError):
        run_score(data, tmp_path / "s.parquet", strict=True)
    assert not (tmp_path / "s.parquet").exists()


def test_the_advice_of_the_strict_error_can_be_followed(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", [*pair_rows(4), "{broken"])
    with pytest.raises(InputError, match="Leave out `strict` to set such rows aside"):
        run_score(data, tmp_path / "s.parquet", strict=True)
    assert run_score(data, tmp_path / "s.parquet").rows == 4


def test_no_usable_row_is_an_error(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", [{"prompt": "p", "chosen": 1, "rejected": 2}] * 3)
    with pytest.raises(InputError):
        run_score(data, tmp_path / "s.parquet")
    assert not (tmp_path / "s.parquet").exists()


def test_rescoring_replaces_columns_in_place_and_keeps_what_is_not_measured_anew(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "one.parquet", policy="fake:1")
    run_score(tmp_path / "one.parquet", tmp_path / "two.parquet", reference="fake:2")
    run_score(data, tmp_path / "both.parquet", **MODELS)
    one, two, both = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("one", "two", "both"))
    assert two.columns[: len(one.columns)] == one.columns
    assert len(two.columns) == len(set(two.columns))
    assert set(two.columns) == set(both.columns)
    for name in both.columns:
        assert two[name].to_list() == both[name].to_list(), name


def test_a_reference_that_is_the_policy_is_measured_once_and_said_to_tell_nothing(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    notes, apart = Notes(), Notes()
    run_score(data, tmp_path / "same.parquet", notes, policy="fake:1", reference="fake:1")
    run_score(data, tmp_path / "apart.parquet", apart, **MODELS)
    both = ["policy 'fake:1' (1 of 2)", "reference 'fake:2' (2 of 2)"]
    assert [name for name in apart.steps if "fake" in name] == both
    assert [name for name in notes.steps if "fake" in name] == ["policy 'fake:1'"]
    table = pl.read_parquet(tmp_path / "same.parquet")
    assert table["ref_chosen_logps"].equals(table["policy_chosen_logps"])
    assert table["dpo_margin"].to_list() == [0.0] * table.height
    empty = "bees, beta_dpo_weight, dpo_gap, dpo_margin, dual_margin_add, dual_margin_mul."
    assert notes.about("same model").endswith(empty)
    assert not apart.about("same model")


def test_a_copy_of_the_policy_is_the_policy_whatever_its_folder(tmp_path, demo_models):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(3))
    shutil.copytree(demo_models / "policy", tmp_path / "copy")
    notes = Notes()
    run_score(data, tmp_path / "a.parquet", notes, policy=str(demo_models / "policy"), reference=str(tmp_path / "copy"))
    assert notes.about("same model")
    models = {name: str(demo_models / name) for name in ("policy", "reference")}
    notes = Notes()
    run_score(data, tmp_path / "b.parquet", notes, **models)
    assert not notes.about("same model")


def test_rows_without_a_reference_log_probability_have_no_dcrm_and_are_counted(tmp_path):
    rows = [{**row, "ref_chosen_logps": -9.0, "ref_rejected_logps": -7.5} for row in pair_rows(8)]
    del rows[2]["ref_chosen_logps"]
    rows[5]["ref_rejected_logps"] = None
    data, notes = write_jsonl(tmp_path / "d.jsonl", rows), Notes()
    run_score(data, tmp_path / "s.parquet", notes)
    found = rows_of(tmp_path / "s.parquet")
    assert [i for i, row in enumerate(found) if row["dcrm"] is None] == [2, 5]
    margin = found[0]["score_chosen"] - found[0]["score_rejected"]
    # 1.5 nats between the two responses
    wanted = (1 / (1 + math.exp(-margin)) - 0.5) / (found[0]["edit_distance"] + 1.5 + 1)
    assert found[0]["dcrm"] == pytest.approx(wanted, rel=1e-12)
    note = notes.about("lack")
    assert note.startswith("2 of 8 rows lack ref_chosen_logps or ref_rejected_logps, which dcrm reads")
    manifest = read_manifest(tmp_path / "s.parquet")
    assert manifest["notes"] == {"dcrm": [note]}
    assert manifest["metrics"]["dcrm"]["distance"] == ["edit_count", "logp_sum"]
    # Whoever asks for counts alone gets them in every row, and needs no note.
    silent = Notes()
    run_score(data, tmp_path / "t.parquet", silent, set_=["dcrm.distance=edit_count"])
    assert None not in [row["dcrm"] for row in rows_of(tmp_path / "t.parquet")]
    assert not silent.about("lack") and read_manifest(tmp_path / "t.parquet")["notes"] == {}


def test_only_columns_with_other_values_are_called_replaced(tmp_path):
    rows = [row | {"chosen_reward": str(i), "rejected_reward": 0.0} for i, row in enumerate(pair_rows())]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    notes = Notes()
    run_score(data, tmp_path / "one.parquet", notes, policy="fake:1")
    assert not notes.about("replaced")
    run_score(tmp_path / "one.parquet", tmp_path / "again.parquet", notes, policy="fake:1")
    assert not notes.about("replaced")
    run_score(tmp_path / "one.parquet", tmp_path / "two.parquet", notes, policy="fake:2")
    said = notes.about("replaced")
    assert "policy_chosen_logps (12 rows)" in said and "simpo_margin (12 rows)" in said
    assert "reward" not in said and "edit_distance" not in said and "tokens" not in said


def test_other_tokens_than_the_kept_policys_are_refused(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "one.parquet", policy="fake:1")
    with pytest.raises(SettingsError, match="count different tokens"):
        run_score(tmp_path / "one.parquet", tmp_path / "two.parquet", reference="fake:2", max_length=22)


def test_candidates_get_lists_of_equal_length(tmp_path):
    rows = candidate_rows()
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    result = run_score(data, tmp_path / "s.parquet", **MODELS)
    assert (result.kind, result.rows) == ("candidates", len(rows))
    for row, scored in zip(rows, rows_of(tmp_path / "s.parquet"), strict=True):
        for name in ("rewards", "policy_logps", "ref_logps", "tokens", "finish_reasons"):
            assert len(scored[name]) == len(row["responses"])
        assert scored["responses"] == row["responses"]
        assert scored["rewards"] == row["rewards"]
        assert scored["finish_reasons"] == row["finish_reasons"]
        measured = [fake_logps(1, row["prompt"], response) for response in row["responses"]]
        assert list(zip(scored["policy_logps"], scored["tokens"], strict=True)) == measured


def test_a_folder_is_a_data_set_with_its_card(tmp_path):
    datasets = pytest.importorskip("datasets")
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "out", policy="fake:1")
    run_score(data, tmp_path / "out.parquet", policy="fake:1")
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == pq.read_table(tmp_path / "out.parquet").to_pylist()
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| `dcrm` | double |" in card
    assert "12 rows" in card


def test_the_manifest_says_what_was_used_and_nothing_of_the_machine(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "s.parquet", reward=("fake:3",), set_=["dcrm.eps=0.5"], **MODELS)
    manifest = read_manifest(tmp_path / "s.parquet")
    assert str(tmp_path) not in json.dumps(manifest)
    assert manifest["command"] == "score"
    assert manifest["metrics"]["dcrm"] == {"distance": ["edit_count", "logp_sum"], "eps": 0.5, "scale": 1.0}
    assert manifest["metrics"]["dpo_margin"] == {"beta": 0.1}
    assert manifest["measured_with"]["policy"]["model"] == "fake:1"
    assert manifest["measured_with"]["edit"]["tokenizer"] == "words"
    assert manifest["rows"]["written"] == 12
    run_score(data, tmp_path / "plain.parquet")
    assert read_manifest(tmp_path / "plain.parquet")["metrics"]["dcrm"]["distance"] == ["edit_count"]


def test_paths_of_tokenizers_stay_out_of_the_manifest(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path / "tok"
    folder.mkdir()
    model = tokenizers.models.WordLevel({"[UNK]": 0, "the": 1, "fox": 2}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"})
    )
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "s.parquet", tokenizer=str(folder))
    assert str(tmp_path) not in json.dumps(read_manifest(tmp_path / "s.parquet"))


@pytest.mark.parametrize("name", ["s.parquet", "s"])
def test_same_command_same_bytes(tmp_path, name):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(40))
    found = []
    for _ in range(2):
        run_score(data, tmp_path / name, embedder="fake:4", reward=("fake:3",), **MODELS)
        files = [tmp_path / name] if (tmp_path / name).is_file() else sorted((tmp_path / name).iterdir())
        found.append([(file.name, file.read_bytes()) for file in files])
    assert found[0] == found[1]
    assert not (tmp_path / f"{name}.work").exists()


def test_batch_size_and_neighbours_do_not_change_numbers(tmp_path):
    rows = pair_rows(20)
    run_score(write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "s.parquet", batch_tokens=16, **MODELS)
    run_score(write_jsonl(tmp_path / "r.jsonl", rows[::-1]), tmp_path / "r.parquet", batch_tokens=9999, **MODELS)
    forth, back = pl.read_parquet(tmp_path / "s.parquet"), pl.read_parquet(tmp_path / "r.parquet")
    for name in ("pair_id", "policy_chosen_logps", "edit_distance", "dcrm"):
        assert forth[name].to_list() == back[name].to_list()[::-1]


def test_an_output_folder_must_not_be_the_input(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "out")
    with pytest.raises(StoreError, match="own input"):
        run_score(tmp_path / "out", tmp_path / "out", policy="fake:1")
    with pytest.raises(StoreError, match="own input"):
        select(
            SelectSettings(data=(str(tmp_path / "out"),), out=tmp_path / "out", by="dcrm", top="1"),
            Silent(),
        )


def test_a_foreign_folder_is_never_replaced(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("do not lose")
    with pytest.raises(StoreError, match=r"thesis\.tex"):
        run_score(data, tmp_path / "out")
    assert (tmp_path / "out" / "thesis.tex").read_text() == "do not lose"


def test_a_metric_whose_model_is_not_given_is_refused_before_work_begins(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    with pytest.raises(SettingsError, match="embedding_distance"):
        run_score(data, tmp_path / "s.parquet", set_=["dcrm.distance=edit,embedding"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.jsonl"]


def test_very_long_and_empty_responses(tmp_path):
    long = sentence(random.Random(1), 20_000)
    rows = [
        *pair_rows(2),
        {"prompt": "p", "chosen": long, "rejected": ""},
        {"prompt": "p", "chosen": "", "rejected": ""},
    ]
    result = run_score(write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "s.parquet")
    scored = rows_of(tmp_path / "s.parquet")
    assert result.rows == 4
    assert (scored[2]["edit_distance"], scored[2]["edit_distance_norm"]) == (20_000, 1.0)
    assert (scored[3]["edit_distance"], scored[3]["edit_distance_norm"]) == (0, 0.0)
