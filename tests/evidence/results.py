"""The file of results: one row a cell, added as soon as the cell is done, so that a killed run goes on where it was."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from tests.evidence.cells import Amounts, Cell

FILE = Path(__file__).parent / "results.parquet"
SCHEMA = {
    "key": pl.String,
    "config": pl.String,
    "pairs": pl.Int64,
    "rate": pl.Float64,
    "seconds": pl.Float64,
    "gold": pl.List(pl.Float64),
    "chosen_change": pl.List(pl.Float64),
    "tokens": pl.Float64,
    "log_ratio": pl.Float64,
    "malformed": pl.Float64,
}


def read(path: Path = FILE) -> pl.DataFrame:
    """All rows, of every configuration."""
    return pl.read_parquet(path) if path.exists() else pl.DataFrame(schema=SCHEMA)


def outstanding(cells: list[Cell], amounts: Amounts, path: Path = FILE) -> list[Cell]:
    """The cells without a row of their present configuration, in the order given."""
    done = set(read(path)["config"])
    return [cell for cell in cells if cell.config(amounts) not in done]


def append(row: Mapping[str, Any], path: Path = FILE) -> None:
    """Add one row; the file under its own name is whole at every moment.

    Raises:
        ValueError: there is a row of this configuration already.
    """
    before = read(path)
    if row["config"] in set(before["config"]):
        raise ValueError(f"the cell {row['key']} has been run")
    partial = path.with_name(f"{path.name}.partial")
    pl.concat([before, pl.DataFrame([row], schema=SCHEMA)]).write_parquet(partial)
    partial.replace(path)


@contextmanager
def alone(path: Path = FILE) -> Iterator[None]:
    """Refuse a second run into the same file.

    Raises:
        BlockingIOError: another process is running cells.
    """
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
