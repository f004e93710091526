"""The largest memory of `curate select` on tables larger than it.

python -m tests.bench scale               10 million rows
python -m tests.bench.scale 100000000     as many as you like; 35 bytes of disk a row
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.timing import say

ROWS = 10_000_000
PIECE = 1_000_000
RANKINGS = {"a column": [], "dcrm, computed": ["--set", "dcrm.distance=edit", "--set", "dcrm.eps=0.5"]}


def make_scored(path: Path, rows: int) -> None:
    """A scored table: pair_id, rewards, edit distance and dcrm; values rounded, so that many tie at the cut."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    drawn = np.random.default_rng(0)
    numbers = ("chosen_reward", "rejected_reward", "edit_distance_norm", "dcrm")
    schema = pa.schema([("pair_id", pa.string()), *((name, pa.float64()) for name in numbers)])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for first in range(0, rows, PIECE):
            size = min(PIECE, rows - first)
            ids = np.char.mod("%032x", drawn.integers(0, 2**62, size))
            chosen, rejected, distance = drawn.normal(size=size), drawn.normal(size=size), drawn.random(size)
            dcrm = np.round((1 / (1 + np.exp(rejected - chosen)) - 0.5) / (distance + 1), 4)
            columns = dict(zip(numbers, (chosen, rejected, distance, dcrm), strict=True))
            writer.write_table(pa.table({"pair_id": pa.array(ids), **columns}, schema=schema))


def main(rows: int = ROWS) -> None:
    """The top 10% by a column, and by a metric computed from the measurements; each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "scored.parquet"
        make_scored(source, rows)
        for name, more in RANKINGS.items():
            command = ["select", str(source), "-o", str(Path(folder) / "best.parquet"), "--by", "dcrm", "--top", "10%"]
            start = time.perf_counter()
            process = subprocess.Popen([sys.executable, "-m", "curate", *command, "--quiet", *more])
            # The largest memory of this child alone; what is asked of all children holds those of other sections.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise subprocess.CalledProcessError(process.returncode, process.args)
            taken, peak = time.perf_counter() - start, usage.ru_maxrss / 2**20
            say(f"scale: {rows:,} rows by {name}: at most {peak:.2f} GiB, {taken:.0f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
