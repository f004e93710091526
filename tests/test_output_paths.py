from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from curate.disk import write_table
from curate.errors import StoreError
from curate.output_paths import beside, check_out

TABLE = pa.table({"key": [1, 2, 3]})


def test_check_out_lets_a_good_place_pass_and_makes_nothing(tmp_path: Path) -> None:
    check_out(tmp_path / "deep" / "er" / "o.parquet", [])
    check_out(tmp_path / "folder", [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["o.jsonl", "o.json", "o.csv", "o.parquet.zst"])
def test_another_file_type_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="The output is Parquet"):
        check_out(tmp_path / name, [])


def test_a_folder_named_as_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "o.parquet").mkdir()
    with pytest.raises(StoreError, match="is a folder"):
        check_out(tmp_path / "o.parquet", [])


def test_the_input_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_table(TABLE, tmp_path / "t.parquet")
    (tmp_path / "link.parquet").symlink_to(tmp_path / "t.parquet")
    monkeypatch.chdir(tmp_path)
    for out in (
        tmp_path / "t.parquet",
        Path("t.parquet"),
        tmp_path / "link.parquet",
        tmp_path / "x" / ".." / "t.parquet",
    ):
        with pytest.raises(StoreError, match="its own input"):
            check_out(out, [tmp_path / "other.parquet", tmp_path / "t.parquet"])


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        check_out(tmp_path / "file" / "o.parquet", [])


def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(StoreError, match="cannot be written"):
        check_out(folder / "o.parquet", [])


def test_too_little_space_for_the_data_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil
    from types import SimpleNamespace

    write_table(TABLE, tmp_path / "t.parquet")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(StoreError, match="MiB free"):
        check_out(tmp_path / "o.parquet", [tmp_path / "t.parquet"])


@pytest.mark.parametrize(
    ("out", "name"),
    [("pairs.parquet", "pairs.rejects.parquet"), ("pairs", "pairs.rejects.parquet"), ("a.b", "a.b.rejects.parquet")],
)
def test_beside(out: str, name: str) -> None:
    assert beside(Path("d") / out, "rejects") == Path("d") / name
