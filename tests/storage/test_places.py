from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import StoreError
from curate.storage.places import Place, check_place, check_space, next_to
from curate.writers.parquet import TABLE, write_output

ROWS = pa.table({"key": [1, 2, 3]})


def check(path: Path, *inputs: Path) -> None:
    check_place(Place(path, TABLE), inputs)


def test_a_good_place_passes_and_nothing_is_made(tmp_path: Path) -> None:
    check(tmp_path / "deep" / "er" / "o.parquet")
    check(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["o.jsonl", "o.json", "o.csv", "o.parquet.zst"])
def test_another_file_type_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="The output is Parquet"):
        check(tmp_path / name)


def test_a_folder_named_as_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "o.parquet").mkdir()
    with pytest.raises(StoreError, match="is a folder"):
        check(tmp_path / "o.parquet")


@pytest.mark.parametrize("path", [".", "..", "/", "a/.."])
def test_a_path_without_a_name_of_its_own_is_refused(path: str) -> None:
    with pytest.raises(StoreError, match="no name of its own"):
        check(Path(path))


@pytest.mark.parametrize("name", ["o.parquet", "o"])
def test_an_earlier_output_may_be_replaced(tmp_path: Path, name: str) -> None:
    write_output([ROWS], ROWS.schema, {"command": "score"}, tmp_path / name)
    check(tmp_path / name)


def _file(path: Path) -> None:
    path.write_text("mine")


def _parquet(path: Path) -> None:
    pq.write_table(ROWS, path)


def _link_to_own_output(path: Path) -> None:
    target = path.with_name("ours.parquet")
    write_output([ROWS], ROWS.schema, {"command": "score"}, target)
    path.symlink_to(target)


def _socket(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


FOREIGN = {
    "text": _file,
    "empty": Path.touch,
    "parquet": _parquet,
    "fifo": lambda path: os.mkfifo(path),
    "socket": _socket,
    "link to a device": lambda path: path.symlink_to("/dev/null"),
    "link to nothing": lambda path: path.symlink_to(path.with_name("nothing")),
    "link to an output": _link_to_own_output,
}


def _state(path: Path) -> tuple[int, ...]:
    """All that a write would change, so not the time at which it was last read."""
    now = path.lstat()
    return now.st_mode, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("name", ["o.parquet", "o"])
def test_what_this_tool_did_not_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path(name)
    FOREIGN[kind](out)
    before = _state(out)
    with pytest.raises(StoreError) as caught:
        check(out)
    assert caught.value.where == name
    assert caught.value.hint
    assert _state(out) == before


def test_a_device_is_refused() -> None:
    with pytest.raises(StoreError, match="neither a file nor a folder"):
        check(Path("/dev/null"))


@pytest.mark.parametrize("name", ["mine.txt", "README.md", "train.parquet"])
def test_a_folder_with_anything_else_in_it_is_refused(tmp_path: Path, name: str) -> None:
    out = tmp_path / "o"
    out.mkdir()
    check(out)
    write_output([ROWS], ROWS.schema, {"command": "score"}, out)
    check(out)
    (out / name).write_text("mine")
    with pytest.raises(StoreError, match=f"something else: {name}"):
        check(out)


def test_a_folder_of_the_users_own_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    _parquet(tmp_path / "o" / "data-00000.parquet")
    with pytest.raises(StoreError, match="something else"):
        check(tmp_path / "o")


def test_the_input_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_output([ROWS], ROWS.schema, {"command": "score"}, tmp_path / "t.parquet")
    (tmp_path / "link.parquet").symlink_to(tmp_path / "t.parquet")
    monkeypatch.chdir(tmp_path)
    for out in (
        tmp_path / "t.parquet",
        Path("t.parquet"),
        tmp_path / "link.parquet",
        tmp_path / "x" / ".." / "t.parquet",
    ):
        with pytest.raises(StoreError, match="its own input"):
            check(out, tmp_path / "other.parquet", tmp_path / "t.parquet")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        check(tmp_path / "file" / "o.parquet")


def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(StoreError, match="cannot be written"):
        check(folder / "o.parquet")


@pytest.mark.parametrize("letter", ["o", "é"])
@pytest.mark.parametrize("suffix", [".parquet", ""])
def test_a_name_that_leaves_no_room_for_its_neighbours_is_refused(tmp_path: Path, letter: str, suffix: str) -> None:
    longest = 0
    for letters in range(50, 260):
        out = tmp_path / (letter * letters + suffix)
        try:
            check(out)
        except StoreError as error:
            assert "bytes long" in error.what
            continue
        longest = letters
    assert longest * len(letter.encode()) >= 200
    out = tmp_path / (letter * longest + suffix)
    assert write_output([ROWS], ROWS.schema, {}, out) == 3
    next_to(out, "rejects").touch()


def test_too_little_space_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    check_space(tmp_path / "o.parquet", 10)
    with pytest.raises(StoreError, match="MiB free"):
        check_space(tmp_path / "deep" / "o.parquet", 11)


@pytest.mark.parametrize(
    ("out", "name"),
    [("pairs.parquet", "pairs.rejects.parquet"), ("pairs", "pairs.rejects.parquet"), ("a.b", "a.b.rejects.parquet")],
)
def test_beside(out: str, name: str) -> None:
    assert next_to(Path("d") / out, "rejects") == Path("d") / name
