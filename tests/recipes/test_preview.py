import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from safetensors.numpy import save_file

from curate.backends.open import open_chat_tokenizer
from curate.demo.world import make_pairs
from curate.errors import CurateError, SettingsError
from curate.model import Model
from curate.plan.cost import ModelCost, count_parameters
from curate.plan.volume import Volume, characters, disk, survey
from curate.readers import detect
from curate.recipes.check import prepare
from curate.recipes.file import read_recipe
from curate.recipes.preview import plan_run
from curate.render import Renderer
from curate.schema import Record
from curate.tokens import WordsTokenizer

from .helpers import GIVEN, write_pairs, write_recipe


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "d.jsonl")
    return write_recipe(tmp_path)


def planned(file, **given):
    return plan_run(file, GIVEN | given, file.path.parent / "out")


def test_tokens_of_a_small_data_set_are_exact(file):
    costs = planned(file).steps[0].models
    assert [(cost.role, cost.model, cost.sequences) for cost in costs] == [
        ("reward", "fake:3", 40),
        ("policy", "fake:1", 40),
        ("reference", "fake:2", 40),
    ]
    renderer = Renderer(open_chat_tokenizer(Model.of("fake:1")), None, "keep_start")
    pairs = [(row[side][:-1], row[side][-1]["content"]) for row in make_pairs(20, 1) for side in ("chosen", "rejected")]
    rows = renderer.render(pairs)
    total = sum(len(one.ids) for one in rows)
    # policy and reference read the prompt of a pair once
    once = total - sum(one.start for one in rows[1::2])
    assert [cost.tokens for cost in costs] == [total, once, once]
    assert {cost.unit for cost in costs} == {"tokens"}


def test_rows_are_foretold(file):
    plan = planned(file)
    assert [(step.rows, step.at_most) for step in plan.steps] == [(20, False), (4, True), (4, True)]
    assert planned(file, **{"select.top": "3"}).steps[1].rows == 3
    assert planned(file, **{"select.top": "null", "select.above": "0"}).steps[1].rows == 20
    assert plan.unknown == ()


def test_a_model_that_is_not_here_is_counted_in_words(file):
    cost = planned(file, policy="owner/no-such-model").steps[0].models[1]
    rows = make_pairs(20, 1)
    texts = ["\n".join(message["content"] for message in row["chosen"]) for row in rows]
    texts += [row["rejected"][-1]["content"] for row in rows]
    assert (cost.unit, cost.tokens) == ("words", sum(len(ids) for ids in WordsTokenizer().encode(texts)))
    assert cost.flops is None


def test_max_length_bounds_the_tokens(file):
    costs = planned(file, **{"score.max_length": "10"}).steps[0].models
    assert all(cost.tokens <= 400 for cost in costs)


@pytest.mark.parametrize("data", ["hf://owner/data/train", "nowhere.jsonl", "none-*.jsonl"])
def test_data_that_is_elsewhere_is_unknown_and_no_error(file, data):
    plan = planned(file, data=data)
    assert plan.unknown == (data,)
    assert all(step.rows is None for step in plan.steps)
    assert all(cost.tokens is None and cost.sequences is None for cost in plan.steps[0].models)
    # 10,000 pairs stand for it, each side after its prompt of 150 words
    assert [(cost.role, cost.sequences) for cost in plan.steps[0].assumed] == [
        ("reward", 20_000),
        ("policy", 20_000),
        ("reference", 20_000),
    ]
    assert planned(file).steps[0].assumed == ()


def test_inputs_that_must_be_given_are_listed(file):
    plan = plan_run(file, {}, file.path.parent / "out")
    assert plan.missing == {"policy": "any model"}
    assert plan.inputs["policy"] is None
    assert plan.steps[0].models[1].model == "<policy>"


@pytest.mark.parametrize("given", [{"select.by": "beez"}, {"select.topp": "1%"}, {"score.reference": "null"}])
def test_a_plan_refuses_what_a_run_would(file, given):
    with pytest.raises(CurateError):
        planned(file, **given)
    assert not (file.path.parent / "out").exists()


def test_candidates_count_all_their_responses(file, tmp_path):
    rows = [{"prompt": f"p {i}", "responses": ["a b", "a c", "d"], "rewards": [1.0, 2.0, 0.5]} for i in range(4)]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = write_recipe(
        tmp_path,
        ("run: select", "run: pair"),
        ("by: bees\n      top: ${inputs.share}", "by: dcrm"),
        ("steps.select", "steps.pair"),
    )
    score, pair, export = planned(file, data="c.jsonl").steps
    assert {cost.sequences for cost in score.models} == {12}
    assert (score.rows, pair.rows, export.rows) == (4, 4, 4)
    assert pair.at_most
    score, pair, _ = planned(file, data="c.jsonl", **{"pair.embedder": "fake:5", "pair.per_prompt": "2"}).steps
    # three responses a prompt are compared
    assert [(cost.role, cost.sequences) for cost in pair.models] == [("embedder", 12)]
    assert pair.rows == 8
    strategy = {"pair.strategy": "rs-dpo", "pair.by": "null"}
    assert planned(file, data="c.jsonl", **strategy).steps[1].rows is None


def test_drawn_responses_are_bounded(file, tmp_path):
    (tmp_path / "p.jsonl").write_text("".join(json.dumps({"prompt": f"say {i}"}) + "\n" for i in range(10)))
    (tmp_path / "small.yaml").write_text(
        "name: small\nabout: a\ninputs: {data: p.jsonl}\nsteps:\n"
        "  - {run: generate, with: {data: '${inputs.data}', policy: [fake:1, other=fake:2], samples: 3,"
        " temperature: '0,1', max_tokens: 7}}\n"
        "  - {run: score, with: {data: '${steps.generate}', reward: fake:3}}\n"
        "  - {run: pair, with: {data: '${steps.score}', strategy: max-min}}\n"
    )
    generate, score, pair = plan_run(read_recipe(tmp_path / "small.yaml"), {}, tmp_path / "out").steps
    # of each model a greedy response and three drawn ones to every prompt
    assert [(one.model, one.sequences, one.tokens) for one in generate.models] == [
        ("fake:1", 40, 40 * 7),
        ("fake:2", 40, 40 * 7),
    ]
    assert (generate.rows, generate.at_most) == (10, True)
    reward = score.models[0]
    assert (reward.sequences, reward.at_most) == (80, True)
    # beside 7 tokens drawn: "user: say 1\nassistant: \n", in pieces
    assert 80 * (7 + 5) < reward.tokens < 80 * (7 + 15)
    assert (pair.rows, pair.models) == (10, ())
    assert plan_run(file, {"data": "hf://a/b"}, tmp_path / "out").steps[0].rows is None


def test_responses_read_alone_are_a_pass_of_their_own(file):
    costs = {cost.role: cost for cost in planned(file, **{"score.unconditional": "true"}).steps[0].models}
    tokenizer = open_chat_tokenizer(Model.of("fake:1"))
    texts = [row[side][-1]["content"] for row in make_pairs(20, 1) for side in ("chosen", "rejected")]
    around = len(tokenizer.encode(["assistant: \n"])[0])  # the header and the end of the turn
    assert costs["policy alone"].tokens == sum(len(ids) + around for ids in tokenizer.encode(texts))
    assert costs["policy alone"].tokens < costs["policy"].tokens


def test_a_judge_reads_questions_and_answers_them(file):
    judge = {"score.reward": "judge:fake:7", "score.judge.max_tokens": "9"}
    pairwise = planned(file, **judge).steps[0].models[-1]
    assert (pairwise.role, pairwise.model, pairwise.sequences, pairwise.at_most) == ("judge", "fake:7", 40, True)
    # both responses are in each of the two questions of a pair; alone each is in one question
    pointwise = planned(file, **judge, **{"score.judge.mode": "pointwise"}).steps[0].models[-1]
    assert pairwise.tokens > pointwise.tokens > 40 * 9


def test_the_sample_is_drawn_from_the_whole(tmp_path):
    path = tmp_path / "d.jsonl"
    rows = ({"prompt": f"p {i}", "chosen": "a", "rejected": "b"} for i in range(3000))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    volume = survey([str(path)], detect)
    numbers = [int(record.prompt[0]["content"].split()[1]) for record in volume.sample]
    assert volume.rows == 3000
    assert 256 <= len(numbers) < 512
    assert {b - a for a, b in pairwise(numbers)} == {8}
    assert volume.sequences == 6000


def test_parameters_are_counted_from_the_files_headers(tmp_path):
    save_file({"a": np.zeros((3, 4), np.float32), "b": np.zeros(5, np.float16)}, tmp_path / "model-1.safetensors")
    save_file({"c": np.zeros((2, 2, 2), np.float32)}, tmp_path / "model-2.safetensors")
    assert count_parameters(Model.of(str(tmp_path))) == 3 * 4 + 5 + 2 * 2 * 2
    assert Model.of(str(tmp_path)).here == tmp_path
    for name in ("fake:1", "owner/no-such-model", "<policy>", str(tmp_path / "none")):
        assert count_parameters(Model.of(name)) is None
    (tmp_path / "model-3.safetensors").write_bytes(b"torn")
    assert count_parameters(Model.of(str(tmp_path))) is None


def test_flops_are_twice_parameters_times_tokens():
    assert ModelCost("policy", "m", 2, 1000, "tokens", False, 50).flops == 2 * 50 * 1000
    assert ModelCost("policy", "m", 2, 1000, "words", False, 50).flops is None
    assert ModelCost("policy", "m", 2, None, "tokens", False, 50).flops is None


def test_code_that_would_run_is_named(file):
    plan = planned(file, **{"score.trust_remote_code": "true", "score.reward": "python:rewards:score"})
    assert any("own code" in note for note in plan.notes)
    assert any("rewards:score" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("where", "said"),
    [("bees IN (SELECT x FROM read_csv('secret.csv'))", "a query"), ("MAX(bees) > 1", "cannot aggregate")],
)
@pytest.mark.parametrize("as_plan", [True, False])
def test_a_condition_of_a_recipe_reads_no_file(tmp_path, monkeypatch, where, said, as_plan):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "d.jsonl")
    (tmp_path / "secret.csv").write_text("TOPSECRET\n1\n")
    file = write_recipe(tmp_path, ("      by: bees\n", f'      by: bees\n      where: "{where}"\n'))
    with pytest.raises(SettingsError, match=said) as caught:
        if as_plan:
            planned(file)
        else:
            prepare(file, GIVEN, tmp_path / "out")
    assert "TOPSECRET" not in str(caught.value)
    assert "step select" in caught.value.where


def test_a_condition_of_a_recipe_may_name_what_it_likes_in_a_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "d.jsonl")
    file = write_recipe(tmp_path, ("      by: bees\n", "      by: bees\n      where: pair_id <> 'subplan'\n"))
    assert planned(file).steps[1].settings["where"] == "pair_id <> 'subplan'"


def test_disk_counts_texts_numbers_and_unfinished_work(file):
    score, select, export = (step.disk for step in planned(file).steps)
    sizes = [step.size for step in planned(file).steps]
    # per character 0.37 bytes in Parquet, 1.1 in plain text, 0.7 of unfinished work; 95 for each response's numbers
    assert (score.out, score.work) == (round(0.37 * sizes[0] + 95 * 40), round(0.7 * sizes[0] + 95 * 40))
    assert (select.work, export.work, score.at_most) == (0, 0, False)
    assert export.out == round(1.1 * sizes[2] + 95 * 8)


def test_disk_counts_responses_to_come_at_their_limit():
    prompts = Volume(10, False, (Record(({"role": "user", "content": "p" * 20},), ()),))
    drawn = replace(prompts, drawn=(4, 100))
    # 10 prompts of 20 characters, and 40 responses of at most 100 tokens of 4 characters
    assert characters(drawn) == 200 + 40 * 400
    found = disk(prompts, drawn, measures=True, plain_text=False)
    assert (found.out, found.work, found.at_most) == (round(0.37 * 16_200 + 95 * 40), round(0.7 * 200 + 95 * 40), True)
