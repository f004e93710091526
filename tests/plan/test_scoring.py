import json

import pytest

from curate.errors import CurateError, InputError, MissingExtra, ModelError, SettingsError
from curate.plan.scoring import make_plan
from curate.settings import ScoreSettings, make

PAIR = {"prompt": "p", "chosen": "c", "rejected": "r", "score_chosen": 1.0, "score_rejected": 0.0}


@pytest.fixture
def plan(tmp_path):
    data = tmp_path / "d.jsonl"
    data.write_text(json.dumps(PAIR) + "\n")

    def planned(**more):
        given = {"data": (str(data),), "out": tmp_path / "o.parquet", **more}
        return make_plan(make(ScoreSettings, given), "pairs")

    return planned


def test_the_columns_foreseen_are_those_that_the_run_will_have(plan):
    assert plan().pair_columns() == {
        *("chosen_reward", "rejected_reward", "chosen_tokens", "rejected_tokens"),
        *("edit_distance", "edit_distance_norm"),
    }
    more = plan(policy="fake:1", reference="fake:2", embedder="fake:3", reward=("a=fake:4",)).pair_columns()
    assert {"policy_chosen_logps", "ref_rejected_logps", "embedding_distance", "chosen_reward_a"} <= more


def test_rewards_are_measured_first_then_policy_then_reference(plan):
    names = [s.name for s in plan(policy="fake:1", reference="fake:2", reward=("fake:3", "b=fake:4")).scorers]
    assert names[-2:] == ["policy", "reference"]
    assert len(names) == 4
    assert all(name.startswith("reward.") for name in names[:2])


@pytest.mark.parametrize("tokenizer", [{}, {"policy": "fake:1"}, {"tokenizer": "words", "reference": "fake:1"}])
def test_edit_distance_counts_words_without_a_real_tokenizer(plan, tokenizer):
    assert plan(**tokenizer).identity()["measured_with"]["edit"]["tokenizer"] == "words"


def test_the_identity_changes_with_whatever_decides_the_result(plan):
    same = json.dumps(plan(policy="fake:1").identity(), default=str)
    assert json.dumps(plan(policy="fake:1").identity(), default=str) == same
    for more in (
        {"policy": "fake:2"},
        {"policy": "fake:1", "max_length": 9},
        {"policy": "fake:1", "reward_combine": "min"},
        {"policy": "fake:1", "options": {"dcrm": {"eps": "0.5"}}},
        {"policy": "fake:1", "reference": "fake:1"},
    ):
        assert json.dumps(plan(**more).identity(), default=str) != same


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"data": ("nowhere.jsonl",)}, InputError),
        ({"options": {"nothing": {"a": "1"}}}, SettingsError),
        ({"options": {"dcrm": {"nothing": "1"}}}, SettingsError),
        ({"options": {"dcrm": {"distance": "embedding"}}}, SettingsError),
        ({"options": {"simpo_margin": {"beta": "1"}}}, SettingsError),
        ({"options": {"bees": {"sources": "x"}}}, SettingsError),
        ({"reward": ("columns:no,way",)}, SettingsError),
        ({"reward": ("python:no_such_module_here:f",)}, SettingsError),
        ({"policy": "./no/such/folder"}, ModelError),
        ({"embedder": "./no/such/folder"}, ModelError),
        ({"tokenizer": "./no/such/folder"}, ModelError),
    ],
)
def test_what_can_be_known_before_a_model_loads_is_refused_then(plan, tmp_path, more, kind):
    with pytest.raises(kind) as caught:
        plan(**more)
    assert isinstance(caught.value, CurateError)
    assert caught.value.what
    assert caught.value.where
    assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]


def test_a_missing_extra_names_the_line_that_installs_it(plan, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    with pytest.raises(MissingExtra) as caught:
        plan(backend="vllm")
    assert "pip install 'curate-preferences[vllm]'" in caught.value.hint


def test_ray_is_refused_at_plan_time_where_it_is_not_installed(plan, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    with pytest.raises(MissingExtra) as caught:
        plan(engine="ray")
    assert "pip install 'curate-preferences[ray]'" in caught.value.hint


def test_a_length_beyond_nothing_needs_no_note(plan):
    assert plan(policy="fake:1", max_length=99999).notes == []
