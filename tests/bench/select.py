"""Selecting against bare Polars."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bench.timing import ratio


def main() -> None:
    """The top 10% of 2M scored rows against a bare Polars read, sort and write."""
    import numpy as np
    import polars as pl

    import curate

    generator = np.random.default_rng(0)
    rows = 2_000_000
    with tempfile.TemporaryDirectory() as folder:
        source, out, theirs = (Path(folder) / f"{name}.parquet" for name in ("scored", "best", "bare"))
        ids = pl.Series("pair_id", np.arange(rows)).cast(pl.String).str.zfill(32)
        pl.DataFrame({"pair_id": ids, "dcrm": generator.normal(size=rows)}).write_parquet(source)

        def bare() -> None:
            frame = pl.read_parquet(source).with_row_index("row")
            frame.sort("dcrm", descending=True).head(rows // 10).sort("row").drop("row").write_parquet(theirs)

        ratio("select", lambda: curate.select(source, out, by="dcrm", top="10%"), "bare Polars", bare)
