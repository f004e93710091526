from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curate.errors import SettingsError, StoreError
from curate.storage.workspace import Workspace, held_identity

TABLE = pa.table({"key": [1, 2, 3]})
HOLD = """
import sys, pathlib
from curate.storage.workspace import Workspace
with Workspace(pathlib.Path(sys.argv[1]), {"a": 1}):
    print("held", flush=True)
    sys.stdin.read()
"""


def fail_with(number: int) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


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
    identity = {"same": 0, "policy": "a", "gone": True}
    with Workspace(tmp_path / "o", identity) as work:
        work.shards("s").append(TABLE)
    with pytest.raises(StoreError) as caught, Workspace(tmp_path / "o", {"same": 0, "policy": "b", "new": 2}):
        pass
    what = str(caught.value)
    for shown in ('policy: "a" -> "b"', "gone: true -> null", "new: null -> 2"):
        assert shown in what
    assert "same" not in what
    assert "--fresh" in caught.value.hint
    with Workspace(tmp_path / "o", identity) as work:
        assert work.shards("s").read(TABLE.schema).equals(TABLE), "the refused run must not touch the work"


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


def test_what_was_measured_outlives_a_damaged_identity(tmp_path: Path) -> None:
    identity = {"staged_from": "data", "measured_with": {"policy": 1, "reward": 1}}
    with Workspace(tmp_path / "o", identity) as work:
        for name in ("policy", "reward", "rows"):
            work.shards(name).append(TABLE)
        work.put_document("staged", 3)
        for name in ("identity", "identity-copy"):
            (work.folder / f"{name}.json").write_text("{")
    said: list[str] = []
    now = {**identity, "measured_with": {"policy": 2, "reward": 1}}
    with Workspace(tmp_path / "o", now, note=said.append) as work:
        assert work.document("staged") == 3
        for name in ("policy", "reward", "rows"):
            work.shards(name).sift()
        assert [len(work.shards(name).paths()) for name in ("policy", "reward", "rows")] == [0, 1, 1]
    assert ["identity-copy.json" in said[0], "policy" in said[1]] == [True, True]


@pytest.mark.parametrize("damaged", ["identity", "identity-copy"])
def test_one_damaged_identity_is_made_good_by_the_other(tmp_path: Path, damaged: str) -> None:
    with Workspace(tmp_path / "o", {"a": 1}) as work:
        work.put_document("d", 1)
        (work.folder / f"{damaged}.json").write_bytes(b"")
    with pytest.raises(StoreError, match="a: 1 -> 2"), Workspace(tmp_path / "o", {"a": 2}):
        pass
    said: list[str] = []
    with Workspace(tmp_path / "o", {"a": 1}, note=said.append) as work:
        assert work.document("d") == 1
    assert [f"{damaged}.json failed" in one for one in said] == [True]
    assert held_identity(tmp_path / "o") == {"a": 1}
