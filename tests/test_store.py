from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import SettingsError, StoreError
from curate.store import Shards, Workspace, disk_errors, write_table

TABLE = pa.table({"key": [1, 2, 3]})
HOLD = """
import sys, pathlib
from curate.store import Workspace
with Workspace(pathlib.Path(sys.argv[1]), {"a": 1}):
    print("held", flush=True)
    sys.stdin.read()
"""


def fail_with(number: int) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


# ---- tables


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


def test_other_disk_errors_keep_their_own_kind(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output"), disk_errors(tmp_path):
        fail_with(errno.EIO)()


# ---- shards


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
    assert [p.name for p in tmp_path.iterdir()] == ["shard-00000000.parquet"]
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


# ---- workspace


def test_unfinished_work_is_found_again(tmp_path: Path) -> None:
    out = tmp_path / "o.parquet"
    with Workspace(out, {"a": 1, "b": Path("x")}) as work:
        work.shards("s").append(TABLE)
        work.put_document("d", {"n": 3})
    with Workspace(out, {"b": Path("x"), "a": 1}) as work:
        assert work.shards("s").read(TABLE.schema).equals(TABLE)
        assert work.document("d") == {"n": 3}
        assert work.document("none") is None
        work.finish()
    assert list(tmp_path.iterdir()) == []


def test_other_settings_are_refused_with_the_difference(tmp_path: Path) -> None:
    with Workspace(tmp_path / "o", {"same": 0, "policy": "a", "gone": True}) as work:
        work.shards("s").append(TABLE)
    with pytest.raises(StoreError) as caught, Workspace(tmp_path / "o", {"same": 0, "policy": "b", "new": 2}):
        pass
    what = str(caught.value)
    for shown in ('policy: "a" -> "b"', "gone: true -> null", "new: null -> 2"):
        assert shown in what
    assert "same" not in what
    assert "--fresh" in what
    assert Shards(tmp_path / "o.work" / "s").read(TABLE.schema).equals(TABLE), "the refused run must not touch the work"


def test_a_long_value_is_shortened_in_the_difference(tmp_path: Path) -> None:
    with Workspace(tmp_path / "o", {"x": "y" * 1000}):
        pass
    with pytest.raises(StoreError) as caught, Workspace(tmp_path / "o", {"x": "z" * 1000}):
        pass
    assert len(caught.value.what) < 250


def test_fresh_starts_over(tmp_path: Path) -> None:
    with Workspace(tmp_path / "o", {"a": 1}) as work:
        work.shards("s").append(TABLE)
        work.put_document("d", 1)
    for settings in ({"a": 1}, {"a": 2}):
        with Workspace(tmp_path / "o", settings, fresh=True) as work:
            assert work.document("d") is None
            assert work.shards("s").paths() == []
            work.shards("s").append(TABLE)
            work.put_document("d", 1)
    with Workspace(tmp_path / "o", {"a": 2}) as work:
        assert work.document("d") == 1


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "o.work").mkdir()
    (tmp_path / "o.work" / "thesis.txt").write_text("dear")
    with pytest.raises(StoreError, match="something else"), Workspace(tmp_path / "o", {}):
        pass
    assert (tmp_path / "o.work" / "thesis.txt").read_text() == "dear"


def test_after_an_error_to_be_mended_what_still_holds_is_kept(tmp_path: Path) -> None:
    def identity(policy: int, order: str) -> dict[str, object]:
        return {"staged_from": "data", "measured_with": {"policy": policy, "reward": 1}, "order": order}

    with pytest.raises(SettingsError), Workspace(tmp_path / "o", identity(1, "up")) as work:
        for name in ("policy", "reward", "pairs", "rows"):
            work.shards(name).append(TABLE)
        work.put_document("staged", 3)
        raise SettingsError("mend me")
    with Workspace(tmp_path / "o", identity(2, "down")) as work:
        kept = {name: len(work.shards(name).paths()) for name in ("policy", "reward", "pairs", "rows")}
        assert kept == {"policy": 0, "reward": 1, "pairs": 0, "rows": 1}
        assert work.document("staged") == 3
    with pytest.raises(StoreError, match=r"measured_with\.policy: 2 -> 3"):
        Workspace(tmp_path / "o", identity(3, "down")).__enter__()


def test_another_process_holds_the_output(tmp_path: Path) -> None:
    out = tmp_path / "o"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for fresh in (False, True):
            with pytest.raises(StoreError, match="Another run"), Workspace(out, {"a": 1}, fresh=fresh):
                pass
    finally:
        holder.communicate()
    with Workspace(out, {"a": 1}):
        pass


def test_a_killed_run_frees_the_output(tmp_path: Path) -> None:
    out = tmp_path / "o"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate()
    with Workspace(out, {"a": 1}):
        pass


def test_after_a_refusal_the_same_process_may_start_over(tmp_path: Path) -> None:
    with Workspace(tmp_path / "o", {"a": 1}):
        pass
    refused = Workspace(tmp_path / "o", {"a": 2})
    with pytest.raises(StoreError, match="other settings"):
        refused.__enter__()
    with Workspace(tmp_path / "o", {"a": 2}, fresh=True):
        pass


def test_killed_while_starting_over_leaves_no_settings_beside_half_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with Workspace(tmp_path / "o", {"a": 1}) as work:
        for name in ("s0", "s1", "s2"):
            work.shards(name).append(TABLE)
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(sorted(listed(self), key=lambda p: (p.is_file(), p))))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        again = Workspace(tmp_path / "o", {"a": 1}, fresh=True)
        with pytest.raises(KeyboardInterrupt):
            again.__enter__()
    assert again.document("settings") is None


def test_a_full_disk_while_keeping_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace(tmp_path / "o", {}) as work:
        work.put_document("d", 1)
        monkeypatch.setattr(os, "fsync", fail_with(errno.ENOSPC))
        with pytest.raises(StoreError, match="disk is full"):
            work.put_document("d", 2)
        assert work.document("d") == 1


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
