from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from curate.errors import StoreError
from curate.storage.sealed import Damaged, Seal, kept_document, read_document, read_shard, write_document, write_shard
from tests.examples import examples

TABLE = pa.table({"key": pa.array([1, 2, 3]), "text": ["a", "bb", None]})
SEAL = Seal.of("policy", {"model": "tiny"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_a_shard_comes_back_as_it_was(tmp_path: Path) -> None:
    path, schema = write_shard(TABLE, tmp_path, 3, SEAL)
    assert pq.read_table(pa.BufferReader(read_shard(path, SEAL))).equals(TABLE)
    assert schema.equals(pq.read_schema(path), check_metadata=True)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_every_bit_of_a_shard_counts(tmp_path: Path) -> None:
    path, _ = write_shard(TABLE, tmp_path, 0, SEAL)
    content = path.read_bytes()
    for bit in range(len(content) * 8):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(Damaged, match="checksum"):
            read_shard(path, SEAL)


def test_a_shard_holds_only_in_its_own_place(tmp_path: Path) -> None:
    path, _ = write_shard(TABLE, tmp_path, 0, SEAL)
    with pytest.raises(Damaged, match="checksum"):
        read_shard(path, Seal.of("policy", {"model": "other"}))
    moved = path.rename(path.with_name(path.name.replace("-00000000-", "-00000001-")))
    with pytest.raises(Damaged, match="checksum"):
        read_shard(moved, SEAL)
    stranger = moved.rename(tmp_path / "shard-1.parquet")
    with pytest.raises(Damaged, match="name"):
        read_shard(stranger, SEAL)


def test_what_is_lost_or_unreadable_is_an_error_of_three_lines(tmp_path: Path) -> None:
    path, _ = write_shard(TABLE, tmp_path, 0, SEAL)
    path.unlink()
    with pytest.raises(StoreError, match="No such file") as caught:
        read_shard(path, SEAL)
    assert len(str(caught.value).splitlines()) == 3


@examples(1, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=JSON)
def test_a_document_comes_back_as_it_was(tmp_path: Path, content: object) -> None:
    write_document(content, tmp_path / "d.json", SEAL)
    assert read_document(tmp_path / "d.json", SEAL) == content


def test_no_bit_of_a_document_can_change_what_it_says(tmp_path: Path) -> None:
    path, said = tmp_path / "d.json", {"shards": [1, 2, 300], "of": "é"}
    write_document(said, path, SEAL)
    content = path.read_bytes()
    refused = 0
    for bit in range(len(content) * 8):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            assert read_document(path, SEAL) == said
        except Damaged:
            refused += 1
    assert refused > 7 * len(content)


@pytest.mark.parametrize("content", [b"", b"null", b"[1]", b'{"content": 1}', b"[" * 100_000, b"\xff\xfe"])
def test_what_is_not_a_document_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "d.json").write_bytes(content)
    with pytest.raises(Damaged):
        read_document(tmp_path / "d.json", SEAL)
    said: list[str] = []
    assert kept_document(tmp_path / "d.json", SEAL, said.append) is None
    assert len(said) == 1
    assert not (tmp_path / "d.json").exists()
    assert kept_document(tmp_path / "d.json", SEAL, said.append) is None
    assert len(said) == 1


def test_the_place_and_the_facts_decide_a_hash(tmp_path: Path) -> None:
    hashes = {
        seal.hash(b"x", number) for seal in (Seal(), Seal.of(1), Seal.of("1"), Seal.of(1, 2)) for number in (0, 1, 9)
    }
    assert len(hashes) == 12
    assert Seal.of({"a": 1, "b": 2}) == Seal.of(json.loads('{"b": 2, "a": 1}'))
