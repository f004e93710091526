"""Commands with a cache: the same numbers, nothing measured twice, safe with several runs and after a stop."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from curate.backends import ModelSpec
from curate.backends.fake import FakeBackend
from curate.cli.app import app
from curate.errors import CurateError, SettingsError
from curate.responses.cached import can_be_cached
from curate.scorers.embedding_distance import EmbeddingDistance
from curate.scorers.function_reward import FunctionReward
from tests.commands.helpers import MODELS, Notes, candidate_rows, pair_rows, run_pair, run_score, write_jsonl

REWARDED = {**MODELS, "reward": ("fake:3",)}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call of a model had."""
    calls: list[int] = []
    for name in ("logps", "rewards"):
        real = getattr(FakeBackend, name)

        def counted(self: FakeBackend, rows: Any, real: Any = real) -> Any:
            calls.append(len(rows))
            return real(self, rows)

        monkeypatch.setattr(FakeBackend, name, counted)
    return calls


def cached(path: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(pq.read_schema(path).metadata[b"curate"])["cache"]
    return found


def test_a_second_run_measures_nothing_and_has_the_same_numbers(tmp_path: Path, measured: list[int]) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "plain.parquet", **REWARDED, embedder="fake:4")
    plain = sum(measured)
    measured.clear()
    run_score(data, tmp_path / "1.parquet", **REWARDED, embedder="fake:4", cache=tmp_path / "c")
    assert sum(measured) == plain == 3 * 24
    measured.clear()
    run_score(data, tmp_path / "2.parquet", **REWARDED, embedder="fake:4", cache=tmp_path / "c")
    assert measured == []
    tables = [pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("plain", "1", "2")]
    assert tables[0].equals(tables[1]) and tables[0].equals(tables[2])
    assert cached(tmp_path / "1.parquet") == {"policy": 0, "reference": 0, "reward.fake_3": 0, "embedding": 0}
    assert cached(tmp_path / "2.parquet") == {"policy": 24, "reference": 24, "reward.fake_3": 24, "embedding": 12}
    assert not list(tmp_path.glob("*.work"))


def test_data_that_grew_costs_what_it_grew_by(tmp_path: Path, measured: list[int]) -> None:
    few, more = (write_jsonl(tmp_path / f"{n}.jsonl", pair_rows(n)) for n in (40, 42))
    run_score(few, tmp_path / "few.parquet", **MODELS, cache=tmp_path / "c")
    measured.clear()
    run_score(more, tmp_path / "more.parquet", **MODELS, cache=tmp_path / "c")
    assert sum(measured) == 2 * 4
    run_score(more, tmp_path / "plain.parquet", **MODELS)
    assert pl.read_parquet(tmp_path / "more.parquet").equals(pl.read_parquet(tmp_path / "plain.parquet"))


def test_the_next_command_finds_them_too_whatever_the_role(tmp_path: Path, measured: list[int]) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", candidate_rows())
    run_score(data, tmp_path / "s.parquet", policy="fake:1", cache=tmp_path / "c")
    assert sum(measured) > 10
    measured.clear()
    run_pair(data, tmp_path / "p.parquet", reference="fake:1", cache=tmp_path / "c", by="reward_margin")
    assert measured == []


@pytest.mark.parametrize("changed", [{"policy": "fake:9"}, {"max_length": 6}, {"truncation": "keep_end"}])
def test_what_was_measured_otherwise_is_not_taken(tmp_path: Path, measured: list[int], changed: dict[str, Any]) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "1.parquet", policy="fake:1", cache=tmp_path / "c")
    measured.clear()
    run_score(data, tmp_path / "2.parquet", **{"policy": "fake:1", **changed}, cache=tmp_path / "c")
    assert cached(tmp_path / "2.parquet") == {"policy": 0}
    run_score(data, tmp_path / "3.parquet", **{"policy": "fake:1", **changed})
    assert pl.read_parquet(tmp_path / "2.parquet").equals(pl.read_parquet(tmp_path / "3.parquet"))


def test_a_stopped_run_goes_on_with_what_the_cache_held_when_it_began(
    tmp_path: Path, measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    half, whole = (write_jsonl(tmp_path / f"{n}.jsonl", pair_rows(n)) for n in (20, 40))
    run_score(half, tmp_path / "half.parquet", policy="fake:1", cache=tmp_path / "c")
    with monkeypatch.context() as patched:
        patched.setattr("curate.writers.rejects_file.write_output", _dies)
        with pytest.raises(KeyboardInterrupt):
            run_score(whole, tmp_path / "o.parquet", policy="fake:1", cache=tmp_path / "c")
    measured.clear()
    run_score(whole, tmp_path / "o.parquet", policy="fake:1", cache=tmp_path / "c")
    assert measured == []
    assert cached(tmp_path / "o.parquet") == {"policy": 40}
    run_score(whole, tmp_path / "again.parquet", policy="fake:1", cache=tmp_path / "c")
    assert cached(tmp_path / "again.parquet") == {"policy": 80}
    assert pl.read_parquet(tmp_path / "o.parquet").equals(pl.read_parquet(tmp_path / "again.parquet"))


@pytest.mark.parametrize("broken", [one for size in (1, 2) for one in combinations(range(4), size)], ids=str)
def test_what_is_damaged_before_a_run_goes_on_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: tuple[int, ...]
) -> None:
    few, more = (write_jsonl(tmp_path / f"{n}.jsonl", pair_rows(n)) for n in (30, 40))
    run_score(more, tmp_path / "plain.parquet", policy="fake:1")
    run_score(few, tmp_path / "few.parquet", policy="fake:1", cache=tmp_path / "c")
    with monkeypatch.context() as patched:
        patched.setattr("curate.writers.rejects_file.write_output", _dies)
        with pytest.raises(KeyboardInterrupt):
            run_score(more, tmp_path / "o.parquet", policy="fake:1", cache=tmp_path / "c")
    shards = sorted((tmp_path / "o.parquet.work").glob("policy*/shard-*.parquet"))
    assert len(shards) == 4  # found, wanted, and both kinds of numbers: from the cache, and measured
    for place in broken:
        shards[place].write_bytes(shards[place].read_bytes()[:-1])
    run_score(more, tmp_path / "o.parquet", policy="fake:1", cache=tmp_path / "c")
    assert pl.read_parquet(tmp_path / "o.parquet").equals(pl.read_parquet(tmp_path / "plain.parquet"))


def _dies(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_the_environment_names_it_and_the_limit_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    monkeypatch.setenv("CURATE_CACHE", str(tmp_path / "c"))
    notes = Notes()
    run_score(data, tmp_path / "1.parquet", policy="fake:1")
    run_score(data, tmp_path / "2.parquet", policy="fake:1", to=notes)
    assert "24 of 24" in notes.about("cache")
    run_score(data, tmp_path / "3.parquet", policy="fake:2", cache_limit="1B")
    assert not list((tmp_path / "c").glob("*/shard-*"))


def test_only_what_is_known_by_its_content_is_kept() -> None:
    def scorer(name: str, **facts: Any) -> EmbeddingDistance:
        return EmbeddingDistance(ModelSpec.of(name), facts)

    assert can_be_cached(scorer("some/model", model="some/model", revision="abc"))
    assert can_be_cached(scorer("fake:1", model="fake:1"))
    assert not can_be_cached(scorer("some/model", model="some/model", revision=None))
    assert not can_be_cached(scorer("http://127.0.0.1:9#m", model="m", served=True))
    assert not can_be_cached(FunctionReward("f", "m:f"))


@pytest.mark.parametrize("size", ["1.5 parsecs", "-3GB", True])
def test_a_size_that_is_none_is_refused(tmp_path: Path, size: Any) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    with pytest.raises(SettingsError, match=r"50GB"):
        run_score(data, tmp_path / "o.parquet", policy="fake:1", cache=tmp_path / "c", cache_limit=size)


def test_a_folder_of_something_else_is_refused_before_any_model_is_opened(tmp_path: Path, measured: list[int]) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    with pytest.raises(CurateError, match="not a cache"):
        run_score(data, tmp_path / "o.parquet", policy="fake:1", cache=tmp_path)
    assert measured == []


def test_the_command_shows_trims_and_empties_it(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "1.parquet", **MODELS, cache=tmp_path / "c")

    def said(*words: str) -> str:
        result = CliRunner().invoke(app, ["cache", str(tmp_path / "c"), *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "2 files, measured in 2 ways.\nLast used on " in said()
    assert "The cache is empty." in said("--trim", "0B")
    run_score(data, tmp_path / "2.parquet", **MODELS, cache=tmp_path / "c")
    assert said("--clear") == "The cache is empty.\n"
    refused = CliRunner().invoke(app, ["cache", str(tmp_path)])
    assert isinstance(refused.exception, SettingsError) and "no cache here" in str(refused.exception)
