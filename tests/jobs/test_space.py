from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import curate
from curate.errors import StoreError
from curate.jobs.space import SCORE, check_disk, kept_share
from curate.settings import SelectSettings
from tests.commands.helpers import pair_rows, run_score, run_select, write_jsonl

MILLION = 1_000_000


@pytest.fixture
def free(monkeypatch):
    """Sets what the disk has free."""

    def setting(count: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=count))

    return setting


@pytest.mark.parametrize(
    ("name", "needed"), [("d.parquet", 3_300_000), ("d.jsonl", 680_000), ("d.jsonl.gz", 3_500_000), ("d.csv", 680_000)]
)
def test_score_needs_several_times_a_compressed_input(tmp_path: Path, free, name: str, needed: int) -> None:
    data, out = tmp_path / name, tmp_path / "o.parquet"
    data.write_bytes(bytes(MILLION))
    free(needed)
    check_disk(out, [data], SCORE)
    free(needed - 1)
    with pytest.raises(StoreError, match="MiB free; this needs about"):
        check_disk(out, [data], SCORE)
    free(2 * needed - 1)
    with pytest.raises(StoreError):
        check_disk(out, [data, data], SCORE)


def test_unfinished_work_counts_as_written(tmp_path: Path, free) -> None:
    data, out = tmp_path / "d.parquet", tmp_path / "o.parquet"
    data.write_bytes(bytes(MILLION))
    (tmp_path / "o.parquet.work" / "rows").mkdir(parents=True)
    (tmp_path / "o.parquet.work" / "rows" / "shard").write_bytes(bytes(MILLION))
    free(2_300_000)
    check_disk(out, [data], SCORE)
    free(2_299_999)
    with pytest.raises(StoreError):
        check_disk(out, [data], SCORE)


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({"top": "10%"}, 0.1),
        ({"bottom": "25%"}, 0.25),
        ({"middle": "50%"}, 0.5),
        ({"top": "1"}, 0),
        ({"above": 0.5}, 0),
        ({"top": "10%", "where": "a > 1"}, 0),
        ({"top": "10%", "left_out": "no.parquet"}, 1),
    ],
)
def test_select_needs_the_share_that_it_surely_keeps(settings, share: float) -> None:
    assert kept_share(SelectSettings(data=("d",), out=Path("o"), by="m", **settings)) == share


def test_the_top_row_needs_next_to_nothing(tmp_path: Path, free) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(30))
    run_score(data, tmp_path / "s.parquet")
    free(10)
    assert run_select(tmp_path / "s.parquet", tmp_path / "o.parquet", by="edit_distance", top="1").kept == 1


@pytest.mark.parametrize("command", ["score", "pair", "generate", "weigh", "export", "select"])
def test_every_command_looks_first(tmp_path: Path, free, command: str) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(30))
    settings = {
        "score": {},
        "pair": {"rows_as": "candidates"},
        "generate": {"policy": "fake:1"},
        "weigh": {"method": "gamma-po"},
        "export": {"to": "trl"},
        "select": {"by": "score_chosen", "top": "50%"},
    }
    out = tmp_path / ("o" if command == "export" else "o.parquet")
    free(10)
    with pytest.raises(StoreError, match="MiB free"):
        getattr(curate, command)(data, out, **settings[command])
    assert [one.name for one in tmp_path.iterdir()] == ["d.jsonl"]
