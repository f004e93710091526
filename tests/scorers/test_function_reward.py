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
def digits(items): return ["1"] * len(items)
def text(items): return "123"
def mapping(items): return dict(enumerate(items))
def lazy(items): return (1.0 for _ in items)
def nested(items): return [[1]] * len(items)
def huge(items): return [10**400] * len(items)
def array(items):
    import numpy as np
    return np.arange(len(items), dtype=np.float32)
def tensor(items):
    import torch
    return torch.arange(len(items)) / 2
def raises(items):
    return deeper(items)
def deeper(items):
    raise KeyError("first line\\nthe last line")
def silent(items): assert not items
def two(items, more): return []
def no_argument(): return []
def named(*, items): return []
class Rates:
    def __call__(self, items): return [0.5] * len(items)
rates = Rates()
from functools import partial
halves = partial(lambda scale, items: [scale] * len(items), 0.5)
from os import system
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
    [
        ("short", "2 values for 3"),
        ("words", "str 'good', which is not a number"),
        ("digits", "str '1', which is not a number"),
        ("nothing", "NoneType None, not a list"),
        ("one", "float 1.0, not a list"),
        ("text", "str '123', not a list"),
        ("mapping", "dict .*, not a list"),
        ("lazy", "generator .*, not a list"),
        ("nested", r"list \[1\], which is not a number"),
        ("huge", "int 1000.*, which is not a number"),
    ],
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


@pytest.mark.parametrize("target", ["os:system", "shutil:rmtree", "builtins:print", "builtins:list", "subprocess:run"])
def test_a_function_of_python_itself_is_not_called(target: str) -> None:
    with pytest.raises(SettingsError, match="not a function that rates") as caught:
        find_function(target)
    assert caught.value.where == f"--reward python:{target}"
    assert "list[dict]" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("system", "rates responses"),
        ("Rates", "rates responses"),
        ("two", "'more'"),
        ("no_argument", "too many"),
        ("named", "too many"),
    ],
)
def test_a_function_that_cannot_take_the_batch_is_not_called(module: str, name: str, what: str) -> None:
    with pytest.raises(SettingsError, match=what) as caught:
        find_function(f"{module}:{name}")
    assert "list[dict]" in caught.value.hint


@pytest.mark.parametrize(("name", "wanted"), [("array", [0, 1, 2]), ("tensor", [0, 0.5, 1]), ("rates", [0.5] * 3)])
def test_answers_and_functions_of_other_kinds(module: str, name: str, wanted: list[float]) -> None:
    assert list(rewards(f"{module}:{name}", items(3)).values()) == wanted
    facts = FunctionReward("r", f"{module}:{name}").facts()
    assert facts["source_hash"] == FunctionReward("r", f"{module}:length").facts()["source_hash"]


def test_a_partial_function_has_the_facts_of_its_module(module: str) -> None:
    assert list(rewards(f"{module}:halves", items(2)).values()) == [0.5, 0.5]
    known = FunctionReward("r", f"{module}:length").facts()["source_hash"]
    assert FunctionReward("r", f"{module}:halves").facts()["source_hash"] == known


def test_an_exception_of_the_function_is_told_with_its_place(module: str) -> None:
    with pytest.raises(SettingsError, match="raised KeyError") as caught:
        rewards(f"{module}:raises", items(2))
    line = MODULE.splitlines().index("def deeper(items):") + 2
    assert f"{module}.py:{line}, in deeper" in caught.value.where
    assert (caught.value.setting, caught.value.value) == ("reward", f"python:{module}:raises")
    assert f"{module}:raises" in caught.value.what
    assert "list[dict]" in caught.value.hint
    assert len(str(caught.value).splitlines()) == 3
    with pytest.raises(SettingsError, match="raised AssertionError:"):
        rewards(f"{module}:silent", items(2))


def test_a_module_of_the_users_own_may_be_called_as_one_of_pythons(module: str, tmp_path: Path) -> None:
    (tmp_path / "this.py").write_text("def score(items): return [1.0] * len(items)\n")
    sys.modules.pop("this", None)
    sys.path.insert(0, str(tmp_path))
    try:
        assert find_function("this:score")([{}]) == [1.0]
    finally:
        sys.modules.pop("this", None)
