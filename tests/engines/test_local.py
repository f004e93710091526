from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curate.backends import ModelSpec
from curate.backends.fake import FakeTokenizer
from curate.engines import local
from curate.engines.local import Found, Window, counts, keyed_schema, results, run
from curate.progress import Silent, Step
from curate.render import Renderer
from curate.scorers import ResponseItem, Scored
from curate.scorers.model_scorers import ModelScorer
from curate.storage.shards import Shards
from tests.chat import user

TOTAL, WINDOW, BATCH = 60, 20, 4


@dataclass
class Square:
    """Yields the square of each key, in batches; fails where it is told to."""

    fail_at: int | None = None
    error: type[BaseException] = RuntimeError
    log: list[str] = field(default_factory=list)
    batches: list[list[int]] = field(default_factory=list)
    name: str = "square"
    title: str = "square"

    @property
    def schema(self) -> pa.Schema:
        return pa.schema(
            [("number", pa.float64()), ("size", pa.int32()), ("even", pa.bool_()), ("border", pa.string())]
        )

    def open(self) -> list[str]:
        self.log.append("open")
        return ["a note"]

    def score(self, items: Sequence[Any], done: Set[int]) -> Iterator[Scored]:
        for start in range(0, len(items), BATCH):
            keys = [item.key for item in items[start : start + BATCH]]
            if all(key in done for key in keys):
                continue
            if self.fail_at in keys:
                raise self.error("stopped")
            self.batches.append(keys)
            keys = keys[::-1]  # any order will do
            columns = {
                "number": [None if k % 10 == 3 else k**2 for k in keys],
                "size": list(keys),
                "even": [k % 2 == 0 for k in keys],
                "border": ["split" if k % 3 == 0 else "exact" for k in keys],
            }
            yield Scored(keys, columns, tokens=len(keys))

    def facts(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        self.log.append("close")


class Told(Silent):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[str, int | None, int]] = []
        self.rows = self.tokens = 0

    def step(self, name: str, total: int | None, done: int = 0, unit: str = "rows") -> AbstractContextManager[Step]:
        self.steps += [(name, total, done)] if unit else []
        return nullcontext(self)

    def advance(self, rows: int, tokens: int = 0) -> None:
        self.rows, self.tokens = self.rows + rows, self.tokens + tokens

    def note(self, text: str) -> None:
        self.notes.append(text)


def windows(read: list[int] | None = None) -> Iterator[Window]:
    for start in range(0, TOTAL, WINDOW):

        def items(start: int = start) -> list[ResponseItem]:
            if read is not None:
                read.append(start)
            return [ResponseItem(k, user("q"), f"{k} " + "word " * (k % 5)) for k in range(start, start + WINDOW)]

        yield range(start, start + WINDOW), items


def numbers_are_right(shards: Shards) -> None:
    found = results(Square(), shards, TOTAL)
    assert set(found) == {"number", "size", "even"}
    wanted = [np.nan if k % 10 == 3 else k**2 for k in range(TOTAL)]
    np.testing.assert_array_equal(found["number"], wanted)
    assert found["size"].tolist() == list(range(TOTAL))
    assert found["even"].tolist() == [float(k % 2 == 0) for k in range(TOTAL)]


def test_every_item_is_measured_and_found_by_its_key(tmp_path: Path) -> None:
    scorer, shards, told = Square(), Shards(tmp_path), Told()
    run(scorer, windows(), TOTAL, shards, told)
    numbers_are_right(shards)
    assert scorer.log == ["open", "close"]
    assert told.steps == [("square", TOTAL, 0)]
    assert (told.rows, told.tokens, told.notes) == (TOTAL, TOTAL, ["a note"])
    assert counts(shards, "border") == {"split": 20, "exact": 40}


def test_a_finished_run_opens_nothing(tmp_path: Path) -> None:
    run(Square(), windows(), TOTAL, Shards(tmp_path), Silent())
    again, read = Square(), []
    run(again, windows(read), TOTAL, Shards(tmp_path), Silent())
    assert (again.log, read) == ([], [])


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("fail_at", [0, 25, 59])
def test_what_was_done_is_kept_and_the_next_run_goes_on(
    tmp_path: Path, error: type[BaseException], fail_at: int
) -> None:
    first = Square(fail_at=fail_at, error=error)
    with pytest.raises(error):
        run(first, windows(), TOTAL, Shards(tmp_path), Silent())
    assert first.log == ["open", "close"]
    kept = Shards(tmp_path).read(keyed_schema(first.schema))["key"].to_pylist()
    assert sorted(kept) == list(range(fail_at // BATCH * BATCH))
    second, read, told = Square(), [], Told()
    run(second, windows(read), TOTAL, Shards(tmp_path), told)
    numbers_are_right(Shards(tmp_path))
    assert first.batches + second.batches == [list(range(k, k + BATCH)) for k in range(0, TOTAL, BATCH)]
    assert read == [start for start in range(0, TOTAL, WINDOW) if start + WINDOW > fail_at]
    assert told.steps == [("square", TOTAL, len(kept))]


def test_shards_are_written_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "FLUSH_ROWS", 2 * BATCH)
    run(Square(), windows(), TOTAL, Shards(tmp_path), Silent())
    assert [t.num_rows for t in Shards(tmp_path).tables()] == [8, 8, 8, 8, 8, 8, 8, 4]
    numbers_are_right(Shards(tmp_path))
    assert counts(Shards(tmp_path), "border") == {"split": 20, "exact": 40}


def test_shards_are_written_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(local, "FLUSH_SHARE", 0.0)
    run(Square(), windows(), TOTAL, Shards(tmp_path), Silent())
    assert len(Shards(tmp_path).paths()) == TOTAL // BATCH


def test_results_of_nothing_are_all_null(tmp_path: Path) -> None:
    found = results(Square(), Shards(tmp_path), 3)
    assert all(np.isnan(values).all() and len(values) == 3 for values in found.values())


def test_a_model_scorer_stopped_and_resumed_gives_the_very_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scorer() -> ModelScorer:
        return ModelScorer("logps", "policy", ModelSpec.of("fake:3"), Renderer(FakeTokenizer(), 14, "keep_start"), 40)

    run(scorer(), windows(), TOTAL, Shards(tmp_path / "whole"), Silent())
    wanted = results(scorer(), Shards(tmp_path / "whole"), TOTAL)
    assert wanted["truncated"].sum() > 0
    assert not np.isnan(wanted["logps"]).any()

    class Impatient(Silent):
        left = 3

        def advance(self, rows: int, tokens: int = 0) -> None:
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(scorer(), windows(), TOTAL, Shards(tmp_path / "parts"), Impatient())
    assert 0 < sum(t.num_rows for t in Shards(tmp_path / "parts").tables()) < TOTAL
    run(scorer(), windows(), TOTAL, Shards(tmp_path / "parts"), Silent())
    found = results(scorer(), Shards(tmp_path / "parts"), TOTAL)
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values)
    keys = Shards(tmp_path / "parts").read(keyed_schema(scorer().schema))["key"].to_pylist()
    assert sorted(keys) == list(range(TOTAL))


# ---- reading ahead


@dataclass
class Prepared(Square):
    """Prepares its items in another thread."""

    prepared: list[tuple[int, int]] = field(default_factory=list)
    measured: list[int] = field(default_factory=list)

    def prepare(self, items: Sequence[Any]) -> list[Any]:
        if items[0].key == self.fail_at:
            raise ValueError("unreadable")
        self.prepared.append((items[0].key, threading.get_ident()))
        return list(items)

    def score(self, items: Sequence[Any], done: Set[int]) -> Iterator[Scored]:
        assert isinstance(items, list)
        self.measured.append(items[0].key)
        yield from super().score(items, done)


def test_the_next_window_is_prepared_elsewhere_and_all_in_order(tmp_path: Path) -> None:
    scorer = Prepared()
    run(scorer, windows(), TOTAL, Shards(tmp_path), Silent())
    numbers_are_right(Shards(tmp_path))
    assert [key for key, _ in scorer.prepared] == scorer.measured == [0, 20, 40]
    assert threading.get_ident() not in {thread for _, thread in scorer.prepared}


def test_what_fails_in_preparing_stops_the_run_and_what_came_before_is_kept(tmp_path: Path) -> None:
    scorer = Prepared(fail_at=40)
    with pytest.raises(ValueError, match="unreadable"):
        run(scorer, windows(), TOTAL, Shards(tmp_path), Silent())
    assert scorer.log == ["open", "close"]
    assert sum(t.num_rows for t in Shards(tmp_path).tables()) == 40


def test_no_more_than_one_window_is_read_ahead(tmp_path: Path) -> None:
    read: list[int] = []

    @dataclass
    class Watched(Square):
        ahead: list[int] = field(default_factory=list)

        def score(self, items: Sequence[Any], done: Set[int]) -> Iterator[Scored]:
            for batch in super().score(items, done):
                self.ahead.append(len(read) - 1 - items[0].key // WINDOW)
                yield batch

    scorer = Watched()
    run(scorer, windows(read), TOTAL, Shards(tmp_path), Silent())
    assert read == [0, 20, 40]
    assert set(scorer.ahead) <= {0, 1}


def test_a_full_disk_still_closes_the_scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Shards, table: pa.Table) -> None:
        raise OSError("full")

    monkeypatch.setattr(Shards, "append", full)
    scorer = Square()
    with pytest.raises(OSError, match="full"):
        run(scorer, windows(), TOTAL, Shards(tmp_path), Silent())
    assert scorer.log == ["open", "close"]


def test_results_are_found_by_key_and_only_in_the_shards_that_hold_them(tmp_path: Path, monkeypatch: Any) -> None:
    schema = Square().schema
    shards = Shards(tmp_path)
    for keys in ([3, 1, 2], [7, 5, 6, 4], [4, 9, 8]):
        columns = {"number": [float(k) for k in keys], "size": keys, "even": [True] * len(keys)}
        shards.append(pa.table({"key": keys, **columns, "border": [f"b{k}" for k in keys]}, keyed_schema(schema)))
    found = Found(shards, schema)
    assert found.between(2, 6).to_pylist() == [
        {"key": k, "number": float(k), "size": k, "even": True, "border": f"b{k}"} for k in (2, 3, 4, 5)
    ]
    opened: list[Path] = []
    read = shards.table
    monkeypatch.setattr(shards, "table", lambda path, *more: opened.append(path) or read(path, *more))
    assert found.between(8, 10)["border"].to_pylist() == ["b8", "b9"]
    assert opened == shards.paths()[2:]
    empty = found.between(20, 30)
    assert empty.num_rows == 0
    assert empty.schema.names == ["key", *schema.names]


def test_reading_ahead_ends_with_the_run_that_fails(tmp_path: Path) -> None:
    """Left to the garbage collector, it would join its thread there, perhaps while another starts: a deadlock."""
    before = threading.active_count()
    with pytest.raises(RuntimeError) as caught:
        run(Square(fail_at=BATCH), windows(), TOTAL, Shards(tmp_path), Silent())
    assert caught.tb is not None, "the frames of the run are still alive"
    assert threading.active_count() == before
