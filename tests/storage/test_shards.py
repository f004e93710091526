from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from curate.storage.sealed import Damaged
from curate.storage.shards import Shards

TABLE = pa.table({"key": [1, 2, 3]})


def test_shards_come_back_in_order_and_go_on(tmp_path: Path) -> None:
    first = Shards(tmp_path / "s")
    for i in range(11):
        first.append(pa.table({"key": [i]}))
    again = Shards(tmp_path / "s")
    again.append(pa.table({"key": [11]}))
    assert again.read(pa.schema([("key", pa.int64())]))["key"].to_pylist() == list(range(12))


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    Shards(tmp_path).append(TABLE)
    (tmp_path / "shard-00000001.parquet.aside").write_bytes(b"PAR1 half a")
    shards = Shards(tmp_path)
    assert list(tmp_path.iterdir()) == shards.paths()
    assert shards.read(TABLE.schema).equals(TABLE)


def test_no_shards_are_an_empty_table_of_the_schema(tmp_path: Path) -> None:
    empty = Shards(tmp_path).read(TABLE.schema)
    assert (empty.num_rows, empty.schema) == (0, TABLE.schema)


def test_cleared_shards_are_gone(tmp_path: Path) -> None:
    shards = Shards(tmp_path)
    shards.append(TABLE)
    shards.clear()
    assert shards.paths() == []
    shards.append(TABLE.slice(2))
    assert shards.read(TABLE.schema)["key"].to_pylist() == [3]


def test_a_held_table_is_the_one_that_would_be_read(tmp_path: Path) -> None:
    shards = Shards(tmp_path)
    kept, large = (pa.table({"n": pa.array(range(n), pa.int32()), "t": ["x" * 9] * n}) for n in (3, 4))
    shards.append(large)
    shards.append(kept, hold=True)
    first, second = shards.paths()
    assert shards.table(second) is kept
    assert shards.table(second, ["t"]).equals(kept.select(["t"]))
    assert shards.table(first).equals(large)
    again = Shards(tmp_path).table(second)
    assert again.schema.equals(kept.schema, check_metadata=True)
    assert again.equals(kept)
    shards.append(large)
    assert shards.table(second) is not kept
    shards.clear()
    assert list(shards.tables()) == []


def test_damaged_shards_are_sifted_out_and_the_others_keep_their_places(tmp_path: Path) -> None:
    shards = Shards(tmp_path)
    for number in range(4):
        shards.append(pa.table({"key": [number]}))
    _, second, third, fourth = shards.paths()
    second.write_bytes(second.read_bytes()[:-1])
    fourth.write_bytes(b"")
    (tmp_path / "shard-00000000.parquet").write_bytes(third.read_bytes())
    said: list[str] = []
    again = Shards(tmp_path, note=said.append)
    again.sift()
    assert again.numbers() == [0, 2]
    assert said == [f"unfinished work: 3 of 5 files of {tmp_path.name} failed the checksum; making them again."]
    again.put(1, pa.table({"key": [10]}))
    again.append(pa.table({"key": [30]}))
    assert again.read(TABLE.schema)["key"].to_pylist() == [0, 10, 2, 30]
    again.sift()
    assert len(said) == 1


def test_damage_after_the_sifting_is_noticed_on_reading(tmp_path: Path) -> None:
    shards = Shards(tmp_path)
    shards.append(TABLE)
    shards.sift()
    path = shards.paths()[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    again = Shards(tmp_path)
    for read in (again.table, again.schema, lambda _: again.read(TABLE.schema)):
        with pytest.raises(Damaged, match="checksum"):
            read(path)
