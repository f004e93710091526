"""What every command owes to the place of its output, and to the place of its input."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import curate
from curate.errors import InputError, StoreError
from curate.storage.places import Place
from curate.storage.placing import held
from curate.writers import parquet

from .helpers import pair_rows, run_score, run_select, write_jsonl

SETTINGS = {
    "score": {},
    "pair": {"rows_as": "candidates"},
    "generate": {"policy": "fake:1", "max_tokens": 4},
    "weigh": {"method": "gamma-po"},
    "export": {"to": "trl"},
    "select": {"by": "reward_margin", "top": "50%"},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    source = write_jsonl(tmp_path / "d.jsonl", pair_rows(20))
    run_score(source, tmp_path / "in.parquet", policy="fake:1", reference="fake:2")
    source.unlink()
    return tmp_path / "in.parquet"


def run(command: str, data: Path, out: Path) -> None:
    getattr(curate, command)(data, out, **SETTINGS[command])


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


@pytest.mark.parametrize("command", SETTINGS)
def test_a_file_of_the_users_own_is_not_replaced(data: Path, tmp_path: Path, command: str) -> None:
    for name in ("NOTES", "notes.parquet"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(StoreError):
            run(command, data, tmp_path / name)
        assert (tmp_path / name).read_text() == "mine"
    assert names(tmp_path) == ["NOTES", "in.parquet", "notes.parquet"]


@pytest.mark.parametrize("command", SETTINGS)
def test_a_pipe_is_neither_opened_nor_replaced(data: Path, tmp_path: Path, command: str) -> None:
    os.mkfifo(tmp_path / "o")
    with pytest.raises(StoreError):
        run(command, data, tmp_path / "o")
    assert (tmp_path / "o").is_fifo()


@pytest.mark.parametrize("command", SETTINGS)
def test_two_runs_never_write_one_place(data: Path, tmp_path: Path, command: str) -> None:
    out = tmp_path / "o"
    with held([out]):
        with pytest.raises(StoreError, match="Another run is writing this output") as caught:
            run(command, data, out)
        assert (caught.value.where, bool(caught.value.hint)) == (str(out), True)
    run(command, data, out)
    assert names(tmp_path) == ["in.parquet", "o"]


@pytest.mark.parametrize("command", SETTINGS)
def test_a_name_of_250_letters_is_refused(data: Path, tmp_path: Path, command: str) -> None:
    with pytest.raises(StoreError, match="250 bytes long"):
        run(command, data, tmp_path / ("o" * 250))
    assert names(tmp_path) == ["in.parquet"]


@pytest.mark.parametrize("command", ["select", "weigh", "export"])
@pytest.mark.parametrize("forbidden", [False, True])
def test_an_input_that_vanishes_while_writing_is_named(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, forbidden: bool
) -> None:
    if forbidden and os.access(data, os.R_OK) and os.geteuid() == 0:
        pytest.skip("this user may read everything")
    aside = parquet.written_aside if command != "export" else curate.exporters.folder.written_aside

    def vanishing(place: Place, *more: object):  # type: ignore[no-untyped-def]
        data.chmod(0) if forbidden else data.unlink()
        return aside(place, *more)

    target = parquet if command != "export" else curate.exporters.folder
    monkeypatch.setattr(target, "written_aside", vanishing)
    with pytest.raises(InputError) as caught:
        run(command, data, tmp_path / "o")
    assert str(data) in caught.value.where
    assert names(tmp_path) == (["in.parquet"] if forbidden else [])


def test_rejects_stay_as_they_were_where_the_output_cannot_be_written(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, rest = tmp_path / "o.parquet", tmp_path / "rest.parquet"
    run_select(data, out, by="reward_margin", top="20%", left_out=rest)
    before = out.read_bytes(), rest.read_bytes()

    write = parquet._write_file

    def full(groups: object, schema: object, path: Path) -> int:
        if path.name == ".o.parquet.aside":
            raise OSError(28, "No space left on device")
        return write(groups, schema, path)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(parquet, "_write_file", full)
        with pytest.raises(StoreError, match="disk is full"):
            run_select(data, out, by="reward_margin", top="50%", left_out=rest)
    assert (out.read_bytes(), rest.read_bytes()) == before
    assert names(tmp_path) == ["in.parquet", "o.parquet", "rest.parquet"]
