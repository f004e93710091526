"""Judges as reward sources, in whole jobs."""

import json
import math

import pytest

from curate.backends import ModelSpec, Sampling
from curate.backends.fake import FakeBackend, FakeTokenizer
from curate.backends.torch.generation import TorchGeneration
from curate.errors import CurateError, ModelError, SettingsError
from curate.scorers.judging import PAIRWISE, POINTWISE, Question
from curate.tokens import HubTokenizer
from tests.commands.helpers import candidate_rows, pair_rows, read_manifest, rows_of, run_pair, run_score, write_jsonl


@pytest.fixture
def pairs(tmp_path):
    return write_jsonl(tmp_path / "d.jsonl", pair_rows(40))


@pytest.fixture
def candidates(tmp_path):
    return write_jsonl(tmp_path / "c.jsonl", [{**row, "rewards": None} for row in candidate_rows(20)])


def ask_fake(question: Question, prompt: str, *responses: str) -> list[float] | None:
    """What the fake says to one question."""
    tokenizer = FakeTokenizer()
    text = question.ask([{"role": "user", "content": prompt}], responses)
    ids = tokenizer.encode([tokenizer.template([{"role": "user", "content": text}], True)])[0]
    sample = FakeBackend(ModelSpec.of("fake:1")).generate([ids], [0], Sampling(temperature=0.0))[0]
    return question.read(tokenizer.decode([sample.ids])[0])


def test_pairs_are_judged_in_both_orders(pairs, tmp_path):
    result = run_score(pairs, tmp_path / "s.parquet", reward=("judge:fake:1",))
    question = Question(PAIRWISE, pairwise=True)
    unreadable = 0
    for given, row in zip(pair_rows(40), rows_of(tmp_path / "s.parquet"), strict=True):
        one = ask_fake(question, given["prompt"], given["chosen"], given["rejected"])
        other = ask_fake(question, given["prompt"], given["rejected"], given["chosen"])
        if one is None or other is None:
            unreadable += 1
            assert row["chosen_reward"] is row["rejected_reward"] is row["reward_margin"] is None
            assert "no_reward" in row["flags"]
        else:
            assert row["chosen_reward"] == (one[0] + other[1]) / 2
            assert row["rejected_reward"] == (one[1] + other[0]) / 2
    assert 0 < unreadable < 40
    assert result.judges["fake_1"]["unreadable"] == unreadable
    assert sum(result.judges["fake_1"].values()) == 40
    assert read_manifest(tmp_path / "s.parquet")["judges"] == result.judges


def test_candidates_are_judged_one_by_one(candidates, tmp_path):
    result = run_score(candidates, tmp_path / "s.parquet", reward=("j=judge:fake:1", "rm=fake:2"))
    question = Question(POINTWISE, pairwise=False)
    different = set()
    for given, row in zip(candidate_rows(20), rows_of(tmp_path / "s.parquet"), strict=True):
        for text, judged, other, both in zip(
            given["responses"], row["rewards_j"], row["rewards_rm"], row["rewards"], strict=True
        ):
            rating = ask_fake(question, given["prompt"], text)
            different.add((given["prompt"], text))
            assert judged == (None if rating is None else rating[0])
            assert both == (None if rating is None else pytest.approx((judged + other) / 2))
    # equal responses of a prompt are judged once
    assert sum(result.judges["j"].values()) == len(different)


def test_pairs_may_be_judged_one_by_one(pairs, tmp_path):
    run_score(pairs, tmp_path / "s.parquet", reward=("judge:fake:1",), set_=["judge.mode=pointwise"])
    question = Question(POINTWISE, pairwise=False)
    given, row = pair_rows(40)[0], rows_of(tmp_path / "s.parquet")[0]
    assert row["chosen_reward"] == (ask_fake(question, given["prompt"], given["chosen"]) or [None])[0]


def test_a_response_in_several_pairs_is_rated_in_each(tmp_path):
    rows = [{"prompt": "p", "chosen": "same", "rejected": f"other {i}"} for i in range(6)]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    run_score(data, tmp_path / "s.parquet", reward=("judge:fake:1",))
    found = [row["chosen_reward"] for row in rows_of(tmp_path / "s.parquet")]
    assert len(set(found)) > 2


def test_pair_reads_judges_too(candidates, pairs, tmp_path):
    result = run_pair(candidates, tmp_path / "p.parquet", reward=("judge:fake:1",))
    assert result.pairs > 5
    assert sum(result.judges["fake_1"].values()) == sum(len(set(r["responses"])) for r in candidate_rows(20))
    for row in rows_of(tmp_path / "p.parquet"):
        assert row["chosen_reward"] > row["rejected_reward"]
    assert read_manifest(tmp_path / "p.parquet")["judges"] == result.judges
    pooled = run_pair(pairs, tmp_path / "q.parquet", reward=("judge:fake:1",), rows_as="pairs")
    assert sum(pooled.judges["fake_1"].values()) == 40


def test_a_template_of_ones_own_decides_and_its_place_does_not_matter(pairs, tmp_path):
    source = "Rating of {{ response_a }} and {{ response_b }} for {{ prompt }}"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.txt").write_text(source)
        template = f"judge.template={tmp_path / folder / 't.txt'}"
        run_score(pairs, tmp_path / f"{folder}.parquet", reward=("judge:fake:1",), set_=[template])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    manifest = read_manifest(tmp_path / "a.parquet")
    assert str(tmp_path) not in json.dumps(manifest)
    run_score(pairs, tmp_path / "c.parquet", reward=("judge:fake:1",))
    assert [r["chosen_reward"] for r in rows_of(tmp_path / "a.parquet")] != [
        r["chosen_reward"] for r in rows_of(tmp_path / "c.parquet")
    ]


def test_a_judge_that_rates_nothing_stops_the_run_and_the_mended_command_goes_on(pairs, tmp_path, demo_models):
    given = {"reward": (f"judge:{demo_models / 'policy'}",), "policy": "fake:1"}
    with pytest.raises(ModelError, match="rated none of 40 pairs"):
        run_score(pairs, tmp_path / "s.parquet", **given, set_=["judge.max_tokens=8"])
    assert not (tmp_path / "s.parquet").exists()
    result = run_score(pairs, tmp_path / "s.parquet", reward=("judge:fake:1",), policy="fake:1")
    run_score(pairs, tmp_path / "t.parquet", reward=("judge:fake:1",), policy="fake:1")
    assert result.rows == 40
    assert (tmp_path / "s.parquet").read_bytes() == (tmp_path / "t.parquet").read_bytes()


def test_a_real_model_judges_greedily(tmp_path, demo_models, monkeypatch):
    """The demo's policy rates nothing; here the length of its answer stands for a rating."""
    monkeypatch.setattr(Question, "read", lambda self, answer: [len(answer) + 0.5] * (2 if self.pairwise else 1))
    name = str(demo_models / "policy")
    data = write_jsonl(tmp_path / "c.jsonl", [{"prompt": "Name two fruits.", "responses": ["fig", "a pear", "saw"]}])
    run_score(data, tmp_path / "s.parquet", reward=(f"judge:{name}",), set_=["judge.max_tokens=12"])
    tokenizer, backend = HubTokenizer(name), TorchGeneration(ModelSpec.of(name, device="cpu"))
    question = Question(POINTWISE, pairwise=False)
    expected = []
    for response in ("fig", "a pear", "saw"):
        asked = question.ask([{"role": "user", "content": "Name two fruits."}], [response])
        ids = tokenizer.encode([tokenizer.template([{"role": "user", "content": asked}], True)])[0]
        answer = backend.generate([ids], [0], Sampling(temperature=0.0, max_tokens=12))[0]
        expected.append(len(tokenizer.decode([answer.ids])[0]) + 0.5)
    assert rows_of(tmp_path / "s.parquet")[0]["rewards"] == expected


def test_ratings_are_numbers_that_metrics_read(pairs, tmp_path):
    run_score(pairs, tmp_path / "s.parquet", reward=("judge:fake:1",))
    margins = [row["reward_margin"] for row in rows_of(tmp_path / "s.parquet") if row["reward_margin"] is not None]
    assert all(math.isfinite(margin) and abs(margin) <= 9 for margin in margins)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"set_": ["judge.template=t.txt"]}, "reward='judge:MODEL'"),
        ({"reward": ("judge:fake:1",), "set_": ["judge.template=nowhere.txt"]}, "nowhere.txt"),
        ({"reward": ("judge:fake:1",), "set_": ["judge.temperature=1"]}, "'temperature': ..."),
        ({"reward": ("judge:./no/model",)}, "no/model"),
        ({"reward": ("judge:fake:1", "judge:fake:1")}, "NAME=SPEC"),
    ],
)
def test_wrong_settings_are_refused(pairs, tmp_path, settings, told):
    with pytest.raises(CurateError) as caught:
        run_score(pairs, tmp_path / "s.parquet", **settings)
    assert told in str(caught.value)
    assert not list(tmp_path.glob("s.parquet*"))


def test_a_judge_of_pairs_needs_pairs(candidates, tmp_path, demo_models):
    with pytest.raises(SettingsError, match="A judge of pairs needs pairs"):
        run_score(candidates, tmp_path / "s.parquet", reward=("judge:fake:1",), set_=["judge.mode=pairwise"])
    with pytest.raises(SettingsError, match="4096 tokens; 5000 for its answer"):
        given = {"reward": (f"judge:{demo_models / 'policy'}",), "set_": ["judge.max_tokens=5000"]}
        run_score(candidates, tmp_path / "s.parquet", **given)
