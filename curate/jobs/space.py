"""The disk space that a command is sure to need; the command refuses to start with less.

The factors are the peak disk use of a run (unfinished work plus output) in bytes per byte of input. They come from
file sizes sampled during whole runs on 3,959 judged pairs (11 MB of JSONL), 2,312 pairs of HH-RLHF (3 MB) and 805
prompts with several responses each (16 MB), as JSONL, gzipped JSONL and zstd Parquet. The smallest factor of each is
used, so that a run that would fit is never refused: `score` needed 3.3 to 5.6 times a Parquet input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.readers.files.paths import suffix_of
from curate.selection.pick import parse_amount
from curate.settings import SelectSettings
from curate.storage.places import check_space


@dataclass(frozen=True)
class Peak:
    """Peak disk use in bytes per byte of input.

    Attributes:
        text: for uncompressed text.
        zipped: for compressed text.
        columns: for Parquet.
    """

    text: float
    zipped: float
    columns: float


SCORE = Peak(0.68, 3.5, 3.3)
PAIR = Peak(0.3, 1.5, 1.5)
GENERATE = Peak(0.25, 1.1, 1.2)
"""A lower bound, because the length of the responses is not yet known."""
COPY = Peak(0.2, 1.0, 1.0)
EXPORT = Peak(0.2, 1.0, 0.5)


def check_disk(out: Path, inputs: Sequence[Path], peak: Peak, share: float = 1.0) -> None:
    """Refuse to start if the disk is sure to fill up.

    Args:
        out: the output; unfinished work next to it counts as written.
        inputs: the files to read.
        peak: the command's factors.
        share: share of the rows that will be written.

    Raises:
        StoreError: less space is free.
    """
    needed = sum(_factor(path, peak) * path.stat().st_size for path in inputs if path.is_file())
    work = out.with_name(out.name + ".work")
    there = sum(one.stat().st_size for one in work.rglob("*") if one.is_file()) if work.is_dir() else 0
    check_space(out, share * needed - there)


def kept_share(settings: SelectSettings) -> float:
    """The share of the rows that a selection is sure to write; 1 if dropped rows are written to a file too."""
    if settings.left_out is not None:
        return 1.0
    amount = settings.top or settings.bottom or settings.middle
    if amount is None or settings.filters or settings.per:
        return 0.0
    return float(parse_amount(amount, "top").share or 0)


def _factor(path: Path, peak: Peak) -> float:
    if suffix_of(path) == ".parquet":
        return peak.columns
    return peak.zipped if suffix_of(path) != path.suffix.lower() else peak.text
