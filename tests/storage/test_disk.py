from __future__ import annotations

import errno
import gc
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import StoreError
from curate.storage.disk import disk_errors, write_table

TABLE = pa.table({"key": [1, 2, 3]})


def fail_with(number: int) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_write_table_leaves_the_table_and_nothing_else(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet").equals(TABLE)
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_keeps_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    write_table(TABLE, tmp_path / "t.parquet")
    monkeypatch.setattr(os, "fsync", fail_with(number))
    with pytest.raises(StoreError, match="disk is full"):
        write_table(TABLE.slice(1), tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet").equals(TABLE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_while_writing(tmp_path: Path) -> None:
    (tmp_path / "t.parquet.aside").symlink_to("/dev/full")
    with pytest.raises(StoreError, match="disk is full"):
        write_table(pa.table({"key": list(range(100_000))}), tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet").exists()


def test_an_interrupted_writer_ends_quietly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(BaseException):
        """As raised by the handler of a signal, wherever the writer is."""

    def interrupted(self: pq.ParquetWriter) -> None:
        monkeypatch.setattr(pq.ParquetWriter, "close", close)
        raise Stopped

    said: list[Any] = []
    close = pq.ParquetWriter.close
    monkeypatch.setattr(sys, "unraisablehook", lambda given: said.append(given.exc_value))
    monkeypatch.setattr(pq.ParquetWriter, "close", interrupted)
    with pytest.raises(Stopped):
        write_table(pa.table({"a": [1]}), tmp_path / "t.parquet")
    gc.collect()
    assert said == []
    assert not (tmp_path / "t.parquet").exists()


def test_a_missing_folder_is_an_error_that_the_user_can_mend(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write_table(TABLE, tmp_path / "none" / "t.parquet")


def test_whatever_else_the_disk_says_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written: Input/output"), disk_errors(tmp_path):
        fail_with(errno.EIO)()


def test_an_error_of_a_library_that_is_not_the_disks_keeps_its_kind(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no magic bytes"), disk_errors(tmp_path):
        raise OSError("no magic bytes")
