"""The study: run its cells, and write its page.

    python -m tests.evidence run [--table selection|pairing|loss] [--draws N] [--only TEXT] [--most N]
    python -m tests.evidence page

A cell that has been run is never run again; after a kill the same command goes on. Processor time counts, so run it
with `nice` next to other work.
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

from tests.evidence.cells import DRAWS, Amounts, plan
from tests.evidence.page import PAGE, page
from tests.evidence.results import alone, append, outstanding, read

CACHE = Path(__file__).resolve().parents[2] / "evidence.work"


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.evidence")
    parser.add_argument("what", choices=("run", "page"))
    parser.add_argument("--table", choices=("selection", "pairing", "loss"))
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--only", default="", help="cells whose key contains this text")
    parser.add_argument("--most", type=int, help="stop after this many cells")
    given = parser.parse_args()
    amounts = Amounts()
    if given.what == "page":
        PAGE.write_text(page(read(), amounts), "utf-8")
        return
    _run(given, amounts)


def _run(given: argparse.Namespace, amounts: Amounts) -> None:
    os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"})
    from curate.demo.tiny import one_thread, quiet
    from tests.evidence.study import run_cell

    logging.getLogger("transformers").setLevel(logging.ERROR)
    cells = [cell for cell in plan(given.draws) if given.table in (None, cell.table) and given.only in cell.key]
    with alone(), one_thread(), quiet():
        for cell in outstanding(cells, amounts)[: given.most]:
            row = run_cell(cell, amounts, CACHE)
            append(row)
            gold = sum(row["gold"]) / len(row["gold"])
            print(f"{cell.key}: gold {gold:.3f}, rate {row['rate']}, {row['seconds']:.0f} s", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
