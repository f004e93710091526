import sys

import pytest

from curate.errors import RowError, SettingsError
from curate.plan.rewards import RewardSource, parse_reward, plan_rewards, rewards_reader
from curate.schema import Record

SAMPLE = [Record(({"role": "user", "content": "p"},), ("a", "b"), (0, 1), {"reward": (1.0, 0.0)})]
BARE = [Record(({"role": "user", "content": "p"},), ("a", "b"), (0, 1))]
ROWS = [{"prompt": "p", "chosen": "a", "rejected": "b", "x": 1.0, "y": "2.5"}]


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        ("columns", RewardSource("data", "columns", "", False)),
        ("columns:x,y", RewardSource("data", "columns", "x,y", False)),
        ("gold=columns:x,y", RewardSource("gold", "columns", "x,y", True)),
        ("python:mod:fun", RewardSource("fun", "function", "mod:fun", False)),
        ("python:pkg.mod:fun", RewardSource("fun", "function", "pkg.mod:fun", False)),
        ("n=python:mod:fun", RewardSource("n", "function", "mod:fun", True)),
        ("judge:org/some-model", RewardSource("some_model", "judge", "org/some-model", False)),
        ("strict=judge:/a/b/", RewardSource("strict", "judge", "/a/b/", True)),
        ("judge:fake:1", RewardSource("fake_1", "judge", "fake:1", False)),
        ("org/some-model", RewardSource("some_model", "model", "org/some-model", False)),
        ("rm=/a/b/", RewardSource("rm", "model", "/a/b/", True)),
        ("/a/b.c/", RewardSource("b_c", "model", "/a/b.c/", False)),
        ("http://h:1#rm", RewardSource("rm", "model", "http://h:1#rm", False)),
        ("http://h:1#org/rm@/a/b", RewardSource("rm", "model", "http://h:1#org/rm@/a/b", False)),
    ],
)
def test_spellings(spec, source):
    assert parse_reward(spec) == source


def test_columns_are_the_default_where_there_are_any():
    assert [s.kind for s in plan_rewards([], ROWS, SAMPLE)] == ["columns"]
    assert plan_rewards([], ROWS, BARE) == []


@pytest.mark.parametrize(
    ("specs", "sample"),
    [
        (["columns"], BARE),
        (["columns:x,z"], SAMPLE),
        (["columns:x,y", "b=columns:y,x"], SAMPLE),
        (["fake:1", "fake:1"], SAMPLE),
        (["a=fake:1", "a=fake:2"], SAMPLE),
        (["python:json"], SAMPLE),
        (["python:json:nothing"], SAMPLE),
        (["python:no_such_module_here:f"], SAMPLE),
    ],
)
def test_what_cannot_be_is_refused_with_a_hint(specs, sample):
    with pytest.raises(SettingsError) as caught:
        plan_rewards(specs, ROWS, sample)
    assert caught.value.where
    assert caught.value.hint


def test_a_module_that_does_not_parse_is_an_error_of_the_users(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "broken_reward_module.py").write_text("def f(:\n")
    with pytest.raises(SettingsError):
        plan_rewards(["python:broken_reward_module:f"], ROWS, SAMPLE)


def test_score_columns_are_read_as_numbers():
    read = rewards_reader([parse_reward("columns:x,y")], as_pairs=True)
    assert read(ROWS[0]) == (1.0, 2.5)
    assert read({"x": float("nan"), "y": None}) == (None, None)
    assert read({"x": "no number"}) == (None, None)


def test_lists_of_scores():
    read = rewards_reader([parse_reward("columns:x")], as_pairs=False)
    assert read({"x": [1, "2", None]}) == (1.0, 2.0, None)
    assert read({"x": "[1, 2]"}) == (1.0, 2.0)
    for bad in ({"x": 3.0}, {"x": None}, {}, {"x": "[1,"}, {"x": "{}"}, {"x": "7"}):
        with pytest.raises(RowError):
            read(bad)


@pytest.mark.parametrize(("spec", "as_pairs"), [("columns:x", True), ("columns:x,y", False), ("columns:x,y,z", True)])
def test_the_number_of_columns_must_fit_the_rows(spec, as_pairs):
    with pytest.raises(SettingsError):
        rewards_reader([parse_reward(spec)], as_pairs)


def test_without_named_columns_there_is_nothing_to_read():
    assert rewards_reader([parse_reward("columns"), parse_reward("fake:1")], True) is None
