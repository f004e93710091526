"""`curate pair` by several rewards, by who wrote the responses, and by length where rewards are equal."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from curate.errors import SettingsError
from tests.commands.helpers import candidate_rows, read_manifest, rows_of, run_pair, run_score, write_jsonl

BY_MODEL = ["cross_model.stronger=big", "cross_model.weaker=small"]


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rated")
    rows = [
        {"id": i, "prompt": f"p {i}", "responses": [f"{word} {i}" for word in "abcd"], "models": ["big", "small"] * 2}
        for i in range(20)
    ]
    run_score(write_jsonl(folder / "c.jsonl", rows), folder / "s.parquet", reward=("a=fake:1", "b=fake:2", "c=fake:3"))
    return folder / "s.parquet"


def places(path: Path) -> list[tuple[int, int]]:
    return [(row["chosen_index"], row["rejected_index"]) for row in rows_of(path)]


def test_delta_ucb_is_as_in_numpy(tmp_path: Path, rated: Path) -> None:
    run_pair(rated, tmp_path / "p.parquet", strategy="delta-ucb", set_=["delta_ucb.b=0.5"])
    wanted = []
    for row in rows_of(rated):
        rewards = np.array([row[f"rewards_{name}"] for name in "abc"])
        mean, sd = rewards.mean(axis=0), rewards.std(axis=0)
        gap = (mean + 0.5 * sd)[:, None] - (mean - 0.5 * sd)[None, :]
        np.fill_diagonal(gap, -np.inf)
        wanted.append(tuple(int(place) for place in np.unravel_index(gap.argmax(), gap.shape)))
    assert places(tmp_path / "p.parquet") == wanted
    run_pair(rated, tmp_path / "m.parquet", strategy="max-min")
    assert places(tmp_path / "m.parquet") != wanted
    assert read_manifest(tmp_path / "p.parquet")["strategy_parameters"] == {"b": 0.5}


def test_cross_model_goes_by_who_wrote(tmp_path: Path, rated: Path) -> None:
    run_pair(rated, tmp_path / "p.parquet", strategy="cross-model", set_=BY_MODEL, per_prompt=2)
    assert places(tmp_path / "p.parquet") == [(0, 1), (0, 3)] * 20
    found = pl.read_parquet(tmp_path / "p.parquet")
    assert set(found["chosen_model"]) == {"big"} and set(found["rejected_model"]) == {"small"}
    without = pl.read_parquet(rated).select("prompt", "responses", "models")
    without.write_parquet(tmp_path / "w.parquet")
    run_pair(tmp_path / "w.parquet", tmp_path / "o.parquet", strategy="cross-model", set_=BY_MODEL)
    assert places(tmp_path / "o.parquet") == [(0, 1)] * 20


def test_ties_by_length_take_the_shortest_of_the_best(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "responses": ["one two three", "one", "four five", "six"], "rewards": [1.0, 1.0, 0.0, 0.0]}]
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    run_pair(data, tmp_path / "o.parquet", strategy="max-min")
    assert places(tmp_path / "o.parquet") == [(0, 2)]
    run_pair(data, tmp_path / "l.parquet", strategy="max-min", set_=["max_min.ties=length"])
    assert places(tmp_path / "l.parquet") == [(1, 3)]


@pytest.mark.parametrize(
    ("given", "what", "hint"),
    [
        (
            {"strategy": "delta-ucb"},
            "delta-ucb needs the column chosen_reward_NAME",
            "--reward a=MODEL --reward b=MODEL",
        ),
        (
            {"strategy": "cross-model", "set_": BY_MODEL},
            "No response of the first rows is by the model big",
            "list column models",
        ),
        ({"strategy": "cross-model", "set_": BY_MODEL, "min_margin": 1.0}, "reads no rewards", "Leave out"),
    ],
)
def test_what_is_lacking_is_said_before_anything_is_measured(
    tmp_path: Path, given: dict[str, Any], what: str, hint: str
) -> None:
    data = write_jsonl(tmp_path / "c.jsonl", candidate_rows(6))
    with pytest.raises(SettingsError, match=what) as error:
        run_pair(data, tmp_path / "o.parquet", policy="fake:1", **given)
    assert hint in error.value.hint
    assert not list(tmp_path.glob("o.parquet*"))


def test_a_model_that_wrote_nothing_is_guessed(tmp_path: Path, rated: Path) -> None:
    with pytest.raises(SettingsError, match="by the model smal") as error:
        run_pair(rated, tmp_path / "o.parquet", strategy="cross-model", set_=[BY_MODEL[0], "cross_model.weaker=smal"])
    assert "Did you mean small" in error.value.hint
