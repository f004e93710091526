from __future__ import annotations

import sys
from pathlib import Path

import pytest

from curate.errors import SettingsError
from curate.scorers import ResponseItem
from curate.scorers.function_reward import CALL_SIZE, FunctionReward, find_function
from tests.chat import user

MODULE = """
calls = []
def length(items):
    calls.append(len(items))
    return [len(i["response"]) for i in items]
def prompt(items):
    return [float(i["prompt"][-1]["content"]) for i in items]
def short(items): return [1.0] * (len(items) - 1)
def words(items): return ["good"] * len(items)
def nothing(items): return None
def one(items): return 1.0
def holes(items): return [None, float("nan"), float("inf"), -float("inf"), 2][: len(items)]
def spoils(items):
    for i in items: i["prompt"].clear()
    return [0.0] * len(items)
scale = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"rewards_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


def rewards(target: str, items: list[ResponseItem], done: frozenset[int] = frozenset()) -> dict[int, float | None]:
    scorer = FunctionReward("r", target)
    assert scorer.open() == []
    found = {}
    for batch in scorer.score(items, done):
        assert set(batch.columns) == {"reward"}
        found.update(zip(batch.keys, batch.columns["reward"], strict=True))
    scorer.close()
    return found


def items(n: int) -> list[ResponseItem]:
    return [ResponseItem(10 * i, user(str(i)), "x" * i) for i in range(n)]


def test_a_function_of_the_working_folder_gets_prompt_and_response(module: str) -> None:
    assert rewards(f"{module}:length", items(4)) == {0: 0, 10: 1, 20: 2, 30: 3}
    assert rewards(f"{module}:prompt", items(3)) == {0: 0, 10: 1, 20: 2}


def test_batches_do_not_depend_on_what_is_done(module: str) -> None:
    many = items(CALL_SIZE + 5)
    done = frozenset(item.key for item in many[:CALL_SIZE])
    assert rewards(f"{module}:length", many, done).keys() == {item.key for item in many[CALL_SIZE:]}
    assert rewards(f"{module}:length", many, done - {0}).keys() == {item.key for item in many}
    assert sys.modules[module].calls == [5, CALL_SIZE, 5]


def test_none_and_what_is_not_finite_become_null(module: str) -> None:
    assert rewards(f"{module}:holes", items(5)) == {0: None, 10: None, 20: None, 30: None, 40: 2.0}


def test_a_function_cannot_spoil_the_items(module: str) -> None:
    given = items(2)
    rewards(f"{module}:spoils", given)
    assert given == items(2)


@pytest.mark.parametrize(
    ("name", "what"),
    [("short", "2 values for 3"), ("words", "no number"), ("nothing", "no number"), ("one", "no number")],
)
def test_a_wrong_answer_names_the_function(module: str, name: str, what: str) -> None:
    with pytest.raises(SettingsError, match=what) as caught:
        rewards(f"{module}:{name}", items(3))
    assert caught.value.where == f"--reward python:{module}:{name}"


@pytest.mark.parametrize("target", ["", "mod", "mod:", ":f"])
def test_the_spelling_is_checked(target: str) -> None:
    with pytest.raises(SettingsError, match="python:MODULE:FUNCTION"):
        find_function(target)


def test_a_missing_module_or_function(module: str) -> None:
    with pytest.raises(SettingsError, match="no_such_module_here cannot be imported"):
        find_function("no_such_module_here:f")
    with pytest.raises(SettingsError, match="no function lenght") as caught:
        find_function(f"{module}:lenght")
    assert "length" in caught.value.hint
    with pytest.raises(SettingsError, match="no function scale"):
        find_function(f"{module}:scale")


def test_a_relative_module_name() -> None:
    with pytest.raises(SettingsError):
        find_function(".rewards:score")
