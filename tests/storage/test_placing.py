from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from curate.errors import StoreError
from curate.storage import placing
from curate.storage.places import Kind, Place
from curate.storage.placing import claimed, clear_leftovers, exchange, written_aside

ANY = Kind(lambda _: None, lambda path: None if "mine" not in path.name else path.name)


def place(path: Path) -> Place:
    return Place(path, ANY)


def tree(folder: Path) -> dict[str, str]:
    return {str(one.relative_to(folder)): one.read_text() for one in sorted(folder.rglob("*")) if one.is_file()}


@contextmanager
def filled(out: Path, text: str) -> Iterator[Path]:
    with written_aside(place(out)) as aside:
        if out.suffix:
            aside.write_text(text)
        else:
            aside.mkdir()
            (aside / "data").write_text(text)
        yield aside


def held(out: Path) -> str:
    return (out if out.suffix else out / "data").read_text()


def test_two_paths_change_places(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    (tmp_path / "b").write_text("2")
    if not exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this system cannot exchange two names")
    assert tree(tmp_path) == {"a": "2", "b/x": "1"}
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "a", tmp_path / "nothing")


@pytest.mark.parametrize("name", ["o.txt", "o"])
@pytest.mark.parametrize("able", [True, False])
def test_what_was_there_stays_until_the_new_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, able: bool
) -> None:
    if not able:
        monkeypatch.setattr(placing, "exchange", lambda *_: False)
    out = tmp_path / name
    with filled(out, "one"):
        assert not out.exists()
    with filled(out, "two"):
        assert held(out) == "one"
    assert held(out) == "two"
    with pytest.raises(KeyboardInterrupt), filled(out, "three"):
        raise KeyboardInterrupt
    assert held(out) == "two"
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_an_empty_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    with filled(tmp_path / "o", "one"):
        pass
    assert tree(tmp_path) == {"o/data": "one"}


def test_where_names_cannot_be_exchanged_a_stopped_run_is_taken_back(tmp_path: Path) -> None:
    out = tmp_path / "o"
    for name, text in ((".o.replaced", "earlier"), (".o.aside", "half")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data").write_text(text)
    clear_leftovers(out)
    assert tree(tmp_path) == {"o/data": "earlier"}


def test_what_came_into_the_place_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "mine.txt"
    with pytest.raises(StoreError, match="did not write"), filled(out, "new"):
        out.write_text("the user's")
    assert tree(tmp_path) == {"mine.txt": "the user's"}


def test_a_folder_that_vanished_meanwhile_is_an_error_of_the_output(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    with pytest.raises(StoreError, match="cannot be written"), filled(folder / "o.txt", "new") as aside:
        aside.unlink()
        folder.rmdir()


def test_a_second_run_is_refused_while_the_first_writes(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "o.parquet"
    with claimed([place(out)], []):
        with pytest.raises(StoreError, match="Another run is writing this output"), claimed([place(out)], []):
            pass
        with claimed([place(tmp_path / "deep" / "other.parquet")], []):
            pass
    with claimed([place(out)], []):
        pass
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_file_and_a_folder_that_share_their_rejects_exclude_each_other(tmp_path: Path) -> None:
    with (
        claimed([place(tmp_path / "o.parquet")], []),
        pytest.raises(StoreError, match="Another run"),
        claimed([place(tmp_path / "o")], []),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_folders_made_for_a_claim_go_again_when_nothing_came_of_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"), claimed([place(tmp_path / "a" / "b" / "o.parquet")], []):
        assert (tmp_path / "a" / "b").is_dir()
        raise ValueError("x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="x"), claimed([place(tmp_path / "a" / "b" / "o.parquet")], []):
        (tmp_path / "a" / "mine").write_text("")
        raise ValueError("x")
    assert tree(tmp_path) == {"a/mine": ""}


def test_a_lock_that_a_killed_run_left_holds_nobody_up_and_goes(tmp_path: Path) -> None:
    out = tmp_path / "o.parquet"
    script = (
        "import os, sys, signal; from pathlib import Path\n"
        "from curate.storage.places import Kind, Place; from curate.storage.placing import claimed\n"
        "place = Place(Path(sys.argv[1]), Kind(lambda _: None, lambda _: None))\n"
        "with claimed([place], []): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, out], check=False).returncode == -9
    assert (tmp_path / ".o.parquet.lock").exists()
    with claimed([place(out)], []):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_file_that_was_removed_meanwhile_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, others = tmp_path / "o.parquet", ExitStack()
    take = placing._take

    def overtaken(number: int, path: Path) -> None:
        monkeypatch.setattr(placing, "_take", take)
        (tmp_path / ".o.parquet.lock").unlink()
        others.enter_context(claimed([place(out)], []))
        take(number, path)

    monkeypatch.setattr(placing, "_take", overtaken)
    with others, pytest.raises(StoreError, match="Another run") as caught, claimed([place(out)], []):
        pass
    assert caught.value.where == str(out)


def test_many_at_once_never_hold_a_place_together(tmp_path: Path) -> None:
    out, inside, most, times = tmp_path / "o.parquet", [0], [0], [0]

    def again() -> None:
        for _ in range(200):
            try:
                with claimed([place(out)], []):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    times[0] += 1
                    time.sleep(0)
                    inside[0] -= 1
            except StoreError:
                pass

    threads = [threading.Thread(target=again) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert most == [1]
    assert times[0] > 0
    assert list(tmp_path.iterdir()) == []
