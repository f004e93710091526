"""A cache of numbers: found by content, trimmed by use, safe against damage and against other runs."""

import os
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from curate.errors import StoreError
from curate.storage.number_cache import CONTENT, HASHES, NumberCache


def table(numbers: dict[int, float]) -> pa.Table:
    hashes = [key.to_bytes(16, "big") for key in numbers]
    return pa.table({CONTENT: pa.array(hashes, HASHES), "x": pa.array(numbers.values(), pa.float64())})


def wanted(*keys: int) -> pl.Series:
    return pl.Series([key.to_bytes(16, "big") for key in keys])


def found(cache: NumberCache, way: str, *keys: int) -> dict[int, float]:
    tables = list(cache.part(way).find(wanted(*keys)))
    return {int.from_bytes(row[CONTENT], "big"): row["x"] for one in tables for row in one.to_pylist()}


def test_numbers_are_found_by_content_and_by_how_they_were_measured(tmp_path: Path) -> None:
    cache = NumberCache(tmp_path / "c")
    cache.part("a").add(table({1: 0.1, 2: 0.2}), ["a note"])
    cache.part("a").add(table({3: 0.3, 1: 0.1}), ["a note"])
    cache.part("b").add(table({1: 9.0}), [])
    assert found(cache, "a", 1, 1, 3, 4) == {1: 0.1, 3: 0.3}
    assert found(cache, "b", 1, 2) == {1: 9.0}
    assert found(cache, "c", 1) == {}
    assert (cache.part("a").notes(), cache.part("b").notes(), cache.part("c").notes()) == (["a note"], [], None)


def test_every_flipped_bit_is_noticed_and_what_it_held_is_forgotten(tmp_path: Path) -> None:
    for place in (0, 100, -1):
        said: list[str] = []
        cache = NumberCache(tmp_path / str(place), said.append)
        cache.part("a").add(table({1: 0.1}), [])
        cache.part("a").add(table({2: 0.2}), [])
        damaged = next(one.path for one in cache.files() if 1 in found(NumberCache(tmp_path / str(place)), "a", 1))
        content = bytearray(damaged.read_bytes())
        content[place] ^= 1
        damaged.write_bytes(content)
        assert len(found(cache, "a", 1, 2)) == 1
        assert len(said) == 1 and "checksum" in said[0]
        assert not damaged.exists()


def test_a_file_of_another_way_is_no_answer(tmp_path: Path) -> None:
    cache = NumberCache(tmp_path / "c")
    cache.part("a").add(table({1: 0.1}), [])
    cache.part("b").add(table({2: 0.2}), [])
    one, other = sorted({held.path.parent for held in cache.files()})
    for path in one.glob("shard-*"):
        path.rename(other / path.name)
    assert {**found(cache, "a", 1, 2), **found(cache, "b", 1, 2)} in ({1: 0.1}, {2: 0.2})


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = NumberCache(tmp_path / "c")
    for key in range(4):
        cache.part("a").add(table({key: float(key)}), [])
    for age, held in enumerate(cache.files()):
        os.utime(held.path, (1000 + age, 1000 + age))
    oldest, *rest = cache.files()
    size = sum(one.size for one in rest)
    assert cache.trim(size) == oldest.size
    assert cache.files() == rest
    assert cache.trim(size) == 0
    key = next(key for key in range(4) if found(cache, "a", key))
    assert cache.files()[-1].used > 2000  # a use counts
    cache.trim(cache.files()[-1].size)
    assert found(cache, "a", key) == {key: float(key)}
    cache.clear()
    assert cache.files() == [] and found(cache, "a", key) == {}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(StoreError, match="not a cache"):
        NumberCache(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
