"""Best of N^2 against brute force over all ordered pairs, written out plainly."""

import itertools
import json
import math
import random

import numpy as np
import polars as pl
import pytest

from curate.backends import ModelSpec
from curate.backends.fake import FakeBackend, FakeTokenizer
from curate.errors import SettingsError
from curate.metrics.registry import compute
from curate.render import Renderer
from tests.commands.helpers import (
    MODELS,
    Notes,
    candidate_rows,
    pair_rows,
    read_manifest,
    rows_of,
    run_pair,
    run_score,
    write_jsonl,
)

from .test_score import fake_logps, levenshtein


def allowed(row, truncated=False):
    """All ordered pairs that may be made of a row of candidates."""
    texts, rewards, finish = row["responses"], row["rewards"], row["finish_reasons"]
    for i, j in itertools.permutations(range(len(texts)), 2):
        if rewards[i] is None or rewards[j] is None or not rewards[i] > rewards[j] or texts[i] == texts[j]:
            continue
        if truncated or finish[i] != "length":
            yield i, j


def best(rows, values, high=True, keep=1, truncated=False):
    """{id: [(i, j), ...]}: per prompt the best pairs; ties by larger margin, then lower i, then lower j."""
    found = {}
    for row in rows:
        pairs = [pair for pair in allowed(row, truncated) if values[row["id"], *pair] is not None]
        pairs.sort(
            key=lambda p: (
                (-1 if high else 1) * values[row["id"], *p],
                row["rewards"][p[1]] - row["rewards"][p[0]],
                p,
            )
        )
        if pairs:
            found[row["id"]] = pairs[:keep]
    return found


def picked(path):
    found = {}
    for row in rows_of(path):
        number = int(row["prompt"][0]["content"].split()[1])
        found.setdefault(number, []).append((row["chosen_index"], row["rejected_index"]))
    return found


def norm(a, b):
    a, b = a.split(), b.split()
    return levenshtein(a, b) / max(len(a), len(b), 1)


def sigma(x):
    return 1 / (1 + math.exp(-x))


def every(rows, value):
    return {
        (row["id"], i, j): value(row, i, j)
        for row in rows
        for i, j in itertools.permutations(range(len(row["responses"])), 2)
        if row["rewards"][i] is not None and row["rewards"][j] is not None
    }


def by_edit(row, i, j):
    margin = row["rewards"][i] - row["rewards"][j]
    return (sigma(margin) - 0.5) / (norm(row["responses"][i], row["responses"][j]) + 1.0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("keep", [1, 3])
def test_dcrm_by_edit_distance_equals_brute_force(tmp_path, seed, keep):
    rows = candidate_rows(25, seed)
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    result = run_pair(data, tmp_path / "p.parquet", set_=["dcrm.distance=edit"], per_prompt=keep)
    wanted = best(rows, every(rows, by_edit), keep=keep)
    assert picked(tmp_path / "p.parquet") == wanted
    assert result.prompts == 25
    assert result.without == 25 - len(wanted) > 0
    assert result.pairs == sum(map(len, wanted.values()))


def test_truncated_responses_are_chosen_only_when_allowed(tmp_path):
    rows = candidate_rows(25, 1)
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    values = every(rows, by_edit)
    run_pair(data, tmp_path / "p.parquet", set_=["dcrm.distance=edit"], allow_truncated=True)
    allowing = picked(tmp_path / "p.parquet")
    assert allowing == best(rows, values, truncated=True)
    assert allowing != best(rows, values), "the example has truncated responses worth choosing"


def test_dcrm_by_embedding_distance_equals_brute_force(tmp_path):
    rows = candidate_rows(20, 2)
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    run_pair(data, tmp_path / "p.parquet", embedder="fake:1", set_=["dcrm.distance=embedding", "dcrm.eps=0.3"])
    embedder = FakeBackend(ModelSpec.of("fake:1"))

    def value(row, i, j):
        a, b = (embedder.embed([row["responses"][k]])[0].astype(np.float64) for k in (i, j))
        return (sigma(row["rewards"][i] - row["rewards"][j]) - 0.5) / (1 - a @ b + 0.3)

    assert picked(tmp_path / "p.parquet") == best(rows, every(rows, value))


@pytest.mark.parametrize("order", [None, "lowest"])
def test_simpo_margin_equals_brute_force(tmp_path, order):
    rows = candidate_rows(20, 3)
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    run_pair(data, tmp_path / "p.parquet", by="simpo_margin", policy="fake:1", order=order)

    def value(row, i, j):
        (a, n), (b, m) = (fake_logps(1, row["prompt"], row["responses"][k]) for k in (i, j))
        return a / n - b / m

    assert picked(tmp_path / "p.parquet") == best(rows, every(rows, value), high=order is None)


@pytest.mark.parametrize("by", ["bees", "alignment_potential"])
def test_population_metrics_are_over_all_candidate_pairs(tmp_path, by):
    rows = candidate_rows(20, 4)
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    run_pair(data, tmp_path / "p.parquet", by=by, **MODELS)
    places, table = [], []
    for row in rows:
        for i, j in allowed(row):
            one = {}
            for side, k in (("chosen", i), ("rejected", j)):
                one[f"{side}_reward"] = row["rewards"][k]
                for role, seed in (("policy", 1), ("ref", 2)):
                    logps, tokens = fake_logps(seed, row["prompt"], row["responses"][k])
                    one |= {f"{role}_{side}_logps": logps, f"{side}_tokens": tokens}
            places.append((row["id"], i, j))
            table.append(one)
    values = compute(by, pl.DataFrame(table), {})[0].to_list()
    assert picked(tmp_path / "p.parquet") == best(rows, dict(zip(places, values, strict=True)))
    held = {
        (int(row["prompt"][0]["content"].split()[1]), row["chosen_index"], row["rejected_index"]): row[by]
        for row in rows_of(tmp_path / "p.parquet")
    }
    of_all = dict(zip(places, values, strict=True))
    assert held == pytest.approx({place: of_all[place] for place in held})


def test_the_default_is_dcrm_by_counts(tmp_path):
    rows = candidate_rows(40, 6)
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    run_pair(data, tmp_path / "p.parquet", reference="fake:2")
    logps = {
        (row["id"], k): fake_logps(2, row["prompt"], text)[0] for row in rows for k, text in enumerate(row["responses"])
    }

    def value(row, i, j):
        edits = levenshtein(row["responses"][i].split(), row["responses"][j].split())
        apart = abs(logps[row["id"], i] - logps[row["id"], j])
        return (sigma(row["rewards"][i] - row["rewards"][j]) - 0.5) / (edits + apart + 1)

    values = every(rows, value)
    assert picked(tmp_path / "p.parquet") == best(rows, values)
    assert {row["id"]: [] for row in rows}.keys() >= picked(tmp_path / "p.parquet").keys()
    for row in rows_of(tmp_path / "p.parquet"):
        number = int(row["prompt"][0]["content"].split()[1])
        assert row["dcrm"] == pytest.approx(values[number, row["chosen_index"], row["rejected_index"]], rel=1e-12)


def test_responses_without_the_reference_are_in_no_pair_and_counted(tmp_path):
    rows = [
        {
            "prompt": "p 0",
            "responses": ["a b", "a c", "d"],
            "rewards": [2.0, 1.0, 0.0],
            "ref_logps": [-1.0, None, -3.0],
        },
        {"prompt": "p 1", "responses": ["a", "b"], "rewards": [1.0, 0.0], "ref_logps": [-1.0, -1.0]},
        {"prompt": "p 2", "responses": ["a", "b"], "rewards": [1.0, 0.0], "ref_logps": [None, -1.0]},
    ]
    data, notes = write_jsonl(tmp_path / "c.jsonl", rows), Notes()
    result = run_pair(data, tmp_path / "p.parquet", notes)
    assert picked(tmp_path / "p.parquet") == {0: [(0, 2)], 1: [(0, 1)]}
    assert result.edit_distances["measured"] == 2
    (note,) = (said for said in notes.said if "lack" in said)
    assert note.startswith("2 of 7 responses lack ref_logps, which dcrm reads as the table has them")
    assert read_manifest(tmp_path / "p.parquet")["notes"] == {"dcrm": [note]}
    run_pair(data, tmp_path / "q.parquet", by="reward_margin")
    assert len(rows_of(tmp_path / "q.parquet")) == 3


def test_equal_rewards_or_equal_texts_yield_no_pair(tmp_path):
    rows = [
        {"prompt": "p 0", "responses": ["a", "b", "c"], "rewards": [1.0, 1.0, 1.0]},
        {"prompt": "p 1", "responses": ["a", "a"], "rewards": [1.0, 2.0]},
        {"prompt": "p 2", "responses": ["a"], "rewards": [1.0]},
        {"prompt": "p 3", "responses": ["a", "b"], "rewards": [None, 1.0]},
        {"prompt": "p 4", "responses": ["a", "b"], "rewards": [0.0, 1.0]},
    ]
    result = run_pair(write_jsonl(tmp_path / "c.jsonl", rows), tmp_path / "p.parquet")
    assert (result.prompts, result.pairs, result.without) == (5, 1, 4)
    assert picked(tmp_path / "p.parquet") == {4: [(1, 0)]}


def test_min_margin(tmp_path):
    rows = candidate_rows(25, 5)
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    run_pair(data, tmp_path / "p.parquet", set_=["dcrm.distance=edit"], min_margin=1.0)
    values = {
        (row["id"], i, j): by_edit(row, i, j) if row["rewards"][i] - row["rewards"][j] >= 1.0 else None
        for row in rows
        for i, j in allowed(row)
    }
    assert picked(tmp_path / "p.parquet") == best(rows, values)


def test_min_margin_without_rewards_is_refused(tmp_path):
    rows = [{"prompt": "p 0", "responses": ["a b", "b"]}]
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    with pytest.raises(SettingsError):
        run_pair(data, tmp_path / "p.parquet", by="length_ratio", min_margin=1.0)


def test_pairs_are_pooled_by_prompt_wherever_they_stand(tmp_path):
    rng = random.Random(0)
    rows = [
        {
            "prompt": f"p {i % 5}",
            "chosen": f"w{rng.randint(0, 5)} x y",
            "rejected": f"w{rng.randint(6, 9)} z",
        }
        for i in range(20)
    ]
    rewards = {}
    for row in rows:
        for side in ("chosen", "rejected"):
            key = (row["prompt"], row[side])
            row[f"score_{side}"] = rewards.setdefault(key, round(rng.random() * 3, 3))
    result = run_pair(write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "p.parquet", set_=["dcrm.distance=edit"])
    assert (result.prompts, result.old) == (5, "given")
    found = {
        row["prompt"][0]["content"]: (row["chosen"][0]["content"], row["rejected"][0]["content"], row["dcrm"])
        for row in rows_of(tmp_path / "p.parquet")
    }
    assert list(found) == [f"p {i}" for i in range(5)]
    for prompt, (chosen, rejected, value) in found.items():
        texts = list(dict.fromkeys(t for r in rows if r["prompt"] == prompt for t in (r["chosen"], r["rejected"])))
        values = {
            (a, b): (sigma(rewards[prompt, a] - rewards[prompt, b]) - 0.5) / (norm(a, b) + 1)
            for a, b in itertools.permutations(texts, 2)
        }
        assert value == pytest.approx(max(values.values()))
        assert values[chosen, rejected] == pytest.approx(value)


def test_pairs_can_name_their_score_columns(tmp_path):
    rows = [{**row, "good": 2.0, "bad": 1.0} for row in pair_rows(5)]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    result = run_pair(data, tmp_path / "p.parquet", reward=("columns:good,bad",))
    assert result.pairs == 5
    assert {row["reward_margin"] for row in rows_of(tmp_path / "p.parquet")} == {1.0}


def test_scored_candidates_need_no_model_again(tmp_path):
    rows = candidate_rows(15, 6)
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    run_score(data, tmp_path / "s.parquet", **MODELS)
    run_pair(tmp_path / "s.parquet", tmp_path / "p.parquet", by="dpo_margin")
    run_pair(data, tmp_path / "q.parquet", by="dpo_margin", **MODELS)
    assert picked(tmp_path / "p.parquet") == picked(tmp_path / "q.parquet")


def test_max_min_is_highest_over_lowest(tmp_path):
    rows = candidate_rows(30, 7)
    run_pair(write_jsonl(tmp_path / "c.jsonl", rows), tmp_path / "p.parquet", strategy="max-min")
    wanted = {}
    for row in rows:
        pairs = list(allowed(row))
        if pairs:
            rewards = row["rewards"]
            wanted[row["id"]] = [min(pairs, key=lambda p, r=rewards: (-r[p[0]], p[0], r[p[1]], p[1]))]
    assert picked(tmp_path / "p.parquet") == wanted


@pytest.mark.parametrize(("eta", "temperature"), [(0.85, 1.0), (0.6, 2.0)])
def test_rs_dpo_takes_every_pair_that_differs_enough(tmp_path, eta, temperature):
    rows = candidate_rows(30, 8)
    given = [f"rs_dpo.eta={eta}", f"rs_dpo.temperature={temperature}"]
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    run_pair(data, tmp_path / "p.parquet", strategy="rs-dpo", set_=given)
    wanted = {}
    for row in rows:
        r = row["rewards"]
        pairs = [(i, j) for i, j in allowed(row) if sigma((r[i] - r[j]) / temperature) > eta]
        if pairs:
            wanted[row["id"]] = sorted(pairs)
    assert {k: sorted(v) for k, v in picked(tmp_path / "p.parquet").items()} == wanted


def test_sweet_spot_by_mean_minus_two_deviations(tmp_path):
    rows = candidate_rows(30, 9)
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    run_pair(data, tmp_path / "p.parquet", strategy="sweet-spot", set_=["sweet_spot.form=mean_minus_2std"])
    wanted = {}
    for row in rows:
        pairs, r = list(allowed(row)), row["rewards"]
        known = np.array([one for one in r if one is not None])
        if pairs:
            aim = known.mean() - 2 * known.std()
            wanted[row["id"]] = [min(pairs, key=lambda p, r=r, a=aim: (-r[p[0]], p[0], abs(r[p[1]] - a), p[1]))]
    assert picked(tmp_path / "p.parquet") == wanted


@pytest.mark.parametrize("strategy", ["max-random", "sweet-spot"])
def test_strategies_that_draw_follow_the_seed(tmp_path, strategy):
    rows = candidate_rows(40, 10)
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    found = []
    for number, seed in enumerate((0, 0, 1)):
        run_pair(data, tmp_path / f"{number}.parquet", strategy=strategy, seed=seed)
        found.append(picked(tmp_path / f"{number}.parquet"))
    assert found[0] == found[1] != found[2]
    for row in rows:
        for i, j in found[0].get(row["id"], []):
            assert (i, j) in set(allowed(row))
            assert row["rewards"][i] == max(row["rewards"][a] for a, _ in allowed(row))


def texts_of_pairs(path):
    rows = rows_of(path)
    found = {
        row["prompt"][-1]["content"]: tuple(row[side][0]["content"] for side in ("chosen", "rejected")) for row in rows
    }
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("strategy", ["max-random", "sweet-spot"])
def test_what_is_drawn_does_not_depend_on_where_the_rows_are(tmp_path, strategy):
    rng = random.Random(3)
    # Rewards all differ, so that no tie goes to the earlier place. Prompts come twice, and some responses too.
    words = [f"w{i}" for i in range(400)]
    rows = [
        {"prompt": f"p {i % 20}", "responses": rng.sample(words, 7), "rewards": [rng.random() for _ in range(7)]}
        for i in range(40)
    ]
    for row in rows[:5]:
        row["responses"][6] = row["responses"][5]
    moved = {
        "as_is": rows,
        "reversed": rows[::-1],
        "shuffled": rng.sample(rows, 40),
        "among_others": [
            *({"prompt": f"other {i}", "responses": ["a", "b"], "rewards": [0.0, 1.0]} for i in range(3)),
            *rows,
        ],
    }
    found = {}
    for name, some in moved.items():
        run_pair(write_jsonl(tmp_path / f"{name}.jsonl", some), tmp_path / f"{name}.parquet", strategy=strategy)
        found[name] = texts_of_pairs(tmp_path / f"{name}.parquet")
    assert found["reversed"] == found["shuffled"] == found["as_is"]
    assert found["among_others"].items() >= found["as_is"].items()
    # The draws of one prompt say nothing of those of another one.
    same = [{"prompt": f"q {i}", "responses": words[:9], "rewards": list(range(9))} for i in range(30)]
    run_pair(write_jsonl(tmp_path / "same.jsonl", same), tmp_path / "same.parquet", strategy=strategy)
    assert len({pair[1] for pair in texts_of_pairs(tmp_path / "same.parquet").values()}) > 2


@pytest.mark.parametrize("strategy", ["max-random", "sweet-spot"])
def test_pooled_pairs_are_drawn_alike_whatever_the_order_of_rows(tmp_path, strategy):
    rng = random.Random(4)
    rewards = {f"w{i}": rng.random() for i in range(200)}
    rows = []
    for i in range(60):
        chosen, rejected = rng.sample(sorted(rewards), 2)
        scores = {"score_chosen": rewards[chosen], "score_rejected": rewards[rejected]}
        rows.append({"prompt": f"p {i % 8}", "chosen": chosen, "rejected": rejected, **scores})
    for name, some in (("a", rows), ("b", rows[::-1])):
        run_pair(write_jsonl(tmp_path / f"{name}.jsonl", some), tmp_path / f"{name}.parquet", strategy=strategy)
    assert texts_of_pairs(tmp_path / "a.parquet") == texts_of_pairs(tmp_path / "b.parquet")


def test_sweet_spot_with_many_draws_is_max_min(tmp_path):
    data = write_jsonl(tmp_path / "c.jsonl", candidate_rows(30, 11))
    run_pair(data, tmp_path / "p.parquet", strategy="sweet-spot", set_=["sweet_spot.draws=99"])
    run_pair(data, tmp_path / "q.parquet", strategy="max-min")
    assert picked(tmp_path / "p.parquet") == picked(tmp_path / "q.parquet")


def test_columns_written_and_their_values(tmp_path):
    rows = candidate_rows(15, 12)
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    run_pair(data, tmp_path / "p.parquet", embedder="fake:1", **MODELS)
    by_id = {row["id"]: row for row in rows}
    renderer = Renderer(FakeTokenizer(), None, "keep_start")
    for row in rows_of(tmp_path / "p.parquet"):
        own = by_id[row["id"]]
        assert row["prompt"] == [{"role": "user", "content": own["prompt"]}]
        for side in ("chosen", "rejected"):
            place = row[f"{side}_index"]
            assert row[side] == [{"role": "assistant", "content": own["responses"][place]}]
            assert row[f"{side}_reward"] == own["rewards"][place]
            rendered = renderer.render([(row["prompt"], own["responses"][place])])[0]
            assert row[f"{side}_tokens"] == rendered.response_tokens
            assert row[f"policy_{side}_logps"] == fake_logps(1, own["prompt"], own["responses"][place])[0]
        assert row["edit_distance_norm"] == pytest.approx(norm(*(row[s][0]["content"] for s in ("chosen", "rejected"))))
        assert row["reward_margin"] == pytest.approx(row["chosen_reward"] - row["rejected_reward"])
        assert {"pair_id", "dcrm", "bees", "embedding_distance", "flags"} <= set(row)
    manifest = read_manifest(tmp_path / "p.parquet")
    assert manifest["metrics"]["dcrm"]["distance"] == ["edit_count", "logp_sum"]
    assert str(tmp_path) not in json.dumps(manifest)


def test_own_columns_of_candidates_stay_and_those_of_an_old_pair_go(tmp_path):
    own = {"operating_system": "x", "rejection_rate": 0.1, "prompt_text_id": 3, "my_pair_id_source": "y"}
    old = {"chosen_model": "m", "score_rejected": 1.0, "weight": 0.5}
    data = write_jsonl(tmp_path / "c.jsonl", [row | own | old for row in candidate_rows(15, 12)])
    notes = Notes()
    run_pair(data, tmp_path / "p.parquet", notes)
    row = rows_of(tmp_path / "p.parquet")[0]
    assert list(row)[:5] == ["id", *own] and own.items() <= row.items()
    assert not old.keys() & row.keys()
    assert notes.about("left out").endswith(": " + ", ".join(old))


@pytest.mark.parametrize("column", ["models", "generation_models"])
def test_the_models_that_wrote_the_two_responses_are_kept(tmp_path, column):
    rows = candidate_rows(15, 12)
    for row in rows:
        row[column] = [f"m{i % 3}" if i != 1 else None for i in range(len(row["responses"]))]
    rows[3][column] = None
    by_id = {row["id"]: row for row in rows}
    run_pair(write_jsonl(tmp_path / "c.jsonl", rows), tmp_path / "p.parquet")
    pairs = rows_of(tmp_path / "p.parquet")
    for pair in pairs:
        names = by_id[pair["id"]][column] or [None] * 9
        assert pair["chosen_model"] == names[pair["chosen_index"]]
        assert pair["rejected_model"] == names[pair["rejected_index"]]
    assert len({pair["chosen_model"] for pair in pairs}) > 2
    # Pooled again, the pairs' responses keep their models.
    run_pair(tmp_path / "p.parquet", tmp_path / "again.parquet")
    again = rows_of(tmp_path / "again.parquet")
    both = [(p["chosen_model"], p["rejected_model"]) for p in pairs if p["chosen_reward"] != p["rejected_reward"]]
    assert [(p["chosen_model"], p["rejected_model"]) for p in again] == both
    # Where nothing says who wrote them there are no such columns.
    run_pair(write_jsonl(tmp_path / "n.jsonl", candidate_rows(5)), tmp_path / "n.parquet")
    assert "chosen_model" not in rows_of(tmp_path / "n.parquet")[0]


def test_the_written_pairs_score_to_the_same_numbers(tmp_path):
    data = write_jsonl(tmp_path / "c.jsonl", candidate_rows(15, 13))
    run_pair(data, tmp_path / "p.parquet", **MODELS)
    run_score(tmp_path / "p.parquet", tmp_path / "s.parquet", **MODELS)
    paired, scored = pl.read_parquet(tmp_path / "p.parquet"), pl.read_parquet(tmp_path / "s.parquet")
    for name in ("pair_id", "edit_distance", "policy_chosen_logps", "ref_rejected_logps", "dcrm"):
        assert paired[name].to_list() == scored[name].to_list(), name


@pytest.mark.parametrize("name", ["p.parquet", "p"])
def test_same_command_same_bytes(tmp_path, name):
    data = write_jsonl(tmp_path / "c.jsonl", candidate_rows(30))
    found = []
    for _ in range(2):
        run_pair(data, tmp_path / name, embedder="fake:1", strategy="max-random", **MODELS)
        files = [tmp_path / name] if (tmp_path / name).is_file() else sorted((tmp_path / name).iterdir())
        found.append([file.read_bytes() for file in files])
    assert found[0] == found[1]
    assert not (tmp_path / f"{name}.work").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"by": "nothing"},
        {"by": "simpo_margin"},
        {"by": "dcrm", "set_": ["dcrm.distance=edit,embedding"]},
        {"strategy": "rs-dpo", "set_": ["rs_dpo.eta=2"]},
        {"strategy": "rs-dpo", "set_": ["rs_dpo.nothing=2"]},
        {"strategy": "max-min", "set_": ["rs_dpo.eta=0.5"]},
        {"reward": ("columns:nothing",)},
    ],
)
def test_what_makes_no_sense_is_refused_before_work_begins(tmp_path, settings):
    data = write_jsonl(tmp_path / "c.jsonl", candidate_rows())
    with pytest.raises(SettingsError) as caught:
        run_pair(data, tmp_path / "p.parquet", **settings)
    assert caught.value.what
    assert caught.value.where
    assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["c.jsonl"]
