from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import model
from curate.hashing import pair_id, text_hash, text_of
from curate.model import Model

PARTS = st.tuples(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))


def a_model(folder: Path, weights: bytes = b"weights") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return str(folder)


def test_where_a_part_ends_counts() -> None:
    assert pair_id("a", "bc", "d") != pair_id("ab", "c", "d")
    assert pair_id("a", "b", "") != pair_id("a", "", "b")
    assert text_hash("a", "bc") != text_hash("ab", "c")
    assert text_hash("abc") != text_hash("abc", "")


@given(PARTS, PARTS)
def test_pair_ids_are_equal_exactly_where_the_parts_are(
    first: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (pair_id(*first) == pair_id(*other)) == (first == other)
    assert len(pair_id(*first)) == 32


def test_swapping_the_sides_is_another_pair() -> None:
    assert pair_id("p", "x", "y") != pair_id("p", "y", "x")


def test_pair_id_never_changes() -> None:
    # blake2b-128 of the three parts, each after its length in 8 bytes, little-endian: b"\1\0\0\0\0\0\0\0p" + ...
    import hashlib

    raw = b"".join(len(p).to_bytes(8, "little") + p for p in (b"p", "é".encode(), b""))
    assert pair_id("p", "é", "") == hashlib.blake2b(raw, digest_size=16).hexdigest()


def test_text_of_tells_roles_and_turns_apart() -> None:
    user, other = {"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}
    spelled = [text_of(m) for m in ([user], [other], [user, other], [{"role": "user", "content": 'a"],["assistant"'}])]
    assert len(set(spelled)) == 4
    assert text_of([{"content": "a", "role": "user"}]) == text_of([user]) == '[["user","a"]]'
    assert text_of([{**user, "name": "x"}]) == '[["user","a",{"name":"x"}]]'


def test_training_again_changes_the_identity(tmp_path: Path) -> None:
    name = a_model(tmp_path / "m")
    before = Model.of(name).identity()
    assert Model.of(name).identity() == before
    a_model(tmp_path / "m", b"weightz")
    assert Model.of(name).identity()["hash"] != before["hash"]


@pytest.mark.parametrize(
    "file", ["config.json", "tokenizer.json", "chat_template.jinja", "spiece.model", "1/vocab.txt"]
)
def test_every_file_that_decides_numbers_counts(tmp_path: Path, file: str) -> None:
    name = a_model(tmp_path / "m")
    before = Model.of(name).identity()
    (tmp_path / "m" / file).parent.mkdir(exist_ok=True)
    (tmp_path / "m" / file).write_text("other")
    assert Model.of(name).identity() != before


def test_files_that_decide_nothing_do_not_count(tmp_path: Path) -> None:
    name = a_model(tmp_path / "m")
    before = Model.of(name).identity()
    (tmp_path / "m" / "README.md").write_text("a card")
    assert Model.of(name).identity() == before


def test_a_copy_elsewhere_is_the_same_model(tmp_path: Path) -> None:
    assert Model.of(a_model(tmp_path / "a" / "m")).identity() == Model.of(a_model(tmp_path / "b" / "m")).identity()
    assert str(tmp_path) not in str(Model.of(str(tmp_path / "a" / "m")).identity())


def test_a_large_file_is_sampled_from_its_first_byte_to_its_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "WHOLE_FILE_BYTES", 1000)
    monkeypatch.setattr(model, "SAMPLES", 4)
    monkeypatch.setattr(model, "SAMPLE_BYTES", 10)
    weights = bytearray(2000)
    found = {Model.of(a_model(tmp_path / "m", bytes(weights))).identity()["hash"]}
    for place in (0, 9, 1990, 1999):
        changed = bytearray(weights)
        changed[place] = 1
        found.add(Model.of(a_model(tmp_path / "m", bytes(changed))).identity()["hash"])
    assert len(found) == 5


def test_what_is_no_folder_has_no_hash() -> None:
    assert Model.of("fake:3").identity() == {"model": "fake:3"}
    assert Model.of("owner/none").identity() == {"model": "owner/none", "revision": None}
