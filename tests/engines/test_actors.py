"""Actors on a Ray of several nodes, in processes of this machine, which lose workers and nodes midway."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.engines.actors import Actors, check_software, software
from curate.engines.cluster import Cluster, Nodes, connect, nodes_of, session
from curate.engines.local import Window, keyed_schema, results, run
from curate.errors import MissingExtra, ModelError, SettingsError
from curate.progress import Step
from curate.scorers import ResponseItem
from curate.storage.shards import Shards
from tests.chat import user
from tests.engines.cubes import BATCH, Cubes
from tests.engines.test_local import Told
from tests.engines.test_processes import measured

TOTAL, WINDOW = 800, 400
TWO = Cluster("auto", workers=2)


def windows() -> Iterator[Window]:
    for start in range(0, TOTAL, WINDOW):
        yield (
            range(start, start + WINDOW),
            lambda start=start: [ResponseItem(k, user("q"), "") for k in range(start, start + WINDOW)],
        )


def numbers_are_right(shards: Shards) -> None:
    keys = shards.read(keyed_schema(Cubes(Path()).schema))["key"].to_pylist()
    assert sorted(keys) == list(range(TOTAL))
    np.testing.assert_array_equal(results(Cubes(Path()), shards, TOTAL)["number"], np.arange(TOTAL) ** 3)


class Acting(Told):
    """Does something when the scorer has opened, and when it has measured so many rows."""

    def __init__(self, rows: int = 0, at_rows: Callable[[], Any] = int, opened: Callable[[], Any] = int) -> None:
        super().__init__()
        self._due, self._at_rows, self._opened = rows, at_rows, opened

    def step(self, name: str, total: int | None, done: int = 0, unit: str = "rows") -> AbstractContextManager[Step]:
        if unit:
            self._opened()
        return super().step(name, total, done, unit)

    def advance(self, rows: int, tokens: int = 0) -> None:
        super().advance(rows, tokens)
        if self._due and self.rows >= self._due:
            self._due = 0
            self._at_rows()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without CPUs, on which the driver is, and two nodes with one each."""
    pytest.importorskip("ray", reason="ray is not installed; run make test-ray")
    from ray.cluster_utils import Cluster as Simulated

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    simulated = Simulated(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        with session():
            simulated.add_node(num_cpus=1)
            simulated.added = simulated.add_node(num_cpus=1)
            simulated.wait_for_nodes()
            connect(simulated.address)
            yield simulated
    finally:
        simulated.shutdown()


@pytest.mark.ray
def test_actors_on_several_nodes_measure_every_item_once(tmp_path: Path, notes: Path, nodes: Any) -> None:
    assert nodes_of(nodes.address) == Nodes(gpus=0, cpus=2, largest=1)
    shards, told = Shards(tmp_path / "shards"), Told()
    run(Cubes(notes, together=2), windows(), TOTAL, shards, told, TWO)
    numbers_are_right(shards)
    assert measured(notes) == list(range(0, TOTAL, BATCH))
    assert len(list(notes.glob("opened-*"))) == 2
    assert told.notes == ["threads 1"]


@pytest.mark.ray
def test_a_worker_that_is_killed_costs_its_batch(tmp_path: Path, notes: Path, nodes: Any) -> None:
    shards = Shards(tmp_path / "shards")
    run(Cubes(notes, ends_at=25, ends=2), windows(), TOTAL, shards, Told(), TWO)
    numbers_are_right(shards)
    assert len(list(notes.glob("ended-*"))) == 2


@pytest.mark.ray
def test_a_node_that_goes_away_costs_its_batches(tmp_path: Path, notes: Path, nodes: Any) -> None:
    shards = Shards(tmp_path / "shards")
    told = Acting(200, lambda: nodes.remove_node(nodes.added, allow_graceful=False))
    run(Cubes(notes, together=2), windows(), TOTAL, shards, told, TWO)
    numbers_are_right(shards)
    assert told.rows == TOTAL


@pytest.mark.ray
def test_a_batch_that_always_kills_is_named(tmp_path: Path, notes: Path, nodes: Any) -> None:
    with pytest.raises(ModelError, match="3 times on the same batch") as caught:
        run(Cubes(notes, ends_at=1, ends=9), windows(), TOTAL, Shards(tmp_path / "shards"), Told(), TWO)
    assert caught.value.where == "cubes, items 1, 2, 3, 4, counted from 1"
    assert len(list(notes.glob("ended-*"))) == 3


@pytest.mark.ray
@pytest.mark.parametrize("error", [SettingsError("what", "where", "hint"), ValueError("a defect")])
def test_what_a_scorer_raises_is_raised_once(tmp_path: Path, notes: Path, nodes: Any, error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        run(Cubes(notes, fails_at=9, ends=9, error=error), windows(), TOTAL, Shards(tmp_path / "s"), Told(), TWO)
    assert str(caught.value) == str(error)
    assert len(list(notes.glob("ended-*"))) == 1


@pytest.mark.ray
def test_a_node_with_gpus_that_joins_gets_workers(
    tmp_path: Path, notes: Path, nodes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No batch is measured before the worker of the second node has opened: each has the two GPUs of its node."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    nodes.add_node(num_cpus=1, num_gpus=2)
    nodes.wait_for_nodes()
    shards, told = Shards(tmp_path / "shards"), Acting(opened=lambda: nodes.add_node(num_cpus=1, num_gpus=2))
    run(Cubes(notes, together=2), windows(), TOTAL, shards, told, Cluster("auto", gpus=2))
    numbers_are_right(shards)
    assert told.notes == ["threads None"]


@pytest.mark.ray
def test_more_workers_than_there_is_room_for_wait(tmp_path: Path, notes: Path, nodes: Any) -> None:
    shards = Shards(tmp_path / "shards")
    run(Cubes(notes), windows(), TOTAL, shards, Told(), Cluster("auto", workers=5))
    numbers_are_right(shards)
    assert 1 <= len(list(notes.glob("opened-*"))) <= 2


def test_a_node_with_other_versions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.engines.actors.versions", lambda names: dict.fromkeys(names, "2.0+cpu"))
    check_software(software())
    assert software()["torch"] == "2.0", "whatever it was built for"
    with pytest.raises(ModelError, match=r"torch 1\.0, not 2\.0"):
        check_software({**software(), "torch": "1.0"})


def test_ray_is_not_needed_until_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    actors = Actors(TWO, print)
    with pytest.raises(MissingExtra, match=r"curate-preferences\[ray\]"):
        list(actors.members(Cubes(Path(os.devnull))))
