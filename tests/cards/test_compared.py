"""Means of the rows kept next to those of all rows."""

from pathlib import Path

import numpy as np
import polars as pl

from curate.cards.compared import compared
from curate.readers.files.table import open_table


def test_means_over_all_rows_and_over_those_kept(tmp_path: Path) -> None:
    columns = {
        "reward_margin": [1.0, None, float("nan"), 4.0],
        "chosen_tokens": [1, 2, 3, 4],
        "rejected_tokens": [1, 1, 5, 9],
        "dcrm": ["no", "number", "in", "it"],
    }
    pl.DataFrame(columns).write_parquet(tmp_path / "t.parquet")
    table = open_table([str(tmp_path / "t.parquet")], tmp_path / "out")
    found = compared(table, np.array([False, True, False, True]), {"own": np.array([1.0, np.nan, 2.0, 3.0])})
    assert found["rows"] == [4, 2]
    assert found["means"] == [
        ["own", 2.0, 3.0],
        ["reward_margin", 2.5, 4.0],
        ["chosen_tokens", 2.5, 3.0],
        ["rejected_tokens", 4.0, 5.0],
        ["chosen is longer", 0.333333, 0.5],  # the first pair's lengths are equal
    ]


def test_nothing_to_compare_is_said_by_nothing(tmp_path: Path) -> None:
    pl.DataFrame({"prompt": ["a"]}).write_parquet(tmp_path / "t.parquet")
    assert compared(open_table([str(tmp_path / "t.parquet")], tmp_path / "out"), np.array([True]), {}) == {}


def test_no_row_kept_has_no_mean(tmp_path: Path) -> None:
    pl.DataFrame({"dcrm": [1.0]}).write_parquet(tmp_path / "t.parquet")
    found = compared(open_table([str(tmp_path / "t.parquet")], tmp_path / "out"), np.array([False]), {})
    assert found["means"] == [["dcrm", 1.0, None]]
