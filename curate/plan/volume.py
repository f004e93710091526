"""How much data there is, from one pass over it, and how much each step leaves: the basis of every estimate."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curate.errors import RowError
from curate.plan.shape import LayoutOf, RowKind
from curate.readers import first_rows, open_source
from curate.readers.files.hub import HUB
from curate.schema import Record
from curate.settings import Settings

CHUNK_ROWS = 4096
SAMPLE = 256
COLUMNS, PLAIN, WORK = 0.37, 1.1, 0.7
"""Bytes per character of text: in Parquet, in plain text, and of unfinished work in Parquet."""
PER_TOKEN = 4
"""Characters of a token of English text."""
NUMBERS = 95
"""Bytes of a response's numbers, in Parquet."""


@dataclass(frozen=True)
class Volume:
    """How many rows there are, and what they look like.

    Attributes:
        rows: rows of the table, unreadable ones included; None if not known.
        at_most: whether there may be fewer.
        sample: rows drawn at even distances.
        pairs: whether only the chosen and rejected response of each row count.
        drawn: for responses that do not exist yet: how many per row, and the maximum tokens of each.
    """

    rows: int | None = None
    at_most: bool = False
    sample: tuple[Record, ...] = ()
    pairs: bool = False
    drawn: tuple[int, int] | None = None

    @property
    def sequences(self) -> int | None:
        """The number of responses in all rows, estimated from the sample."""
        if self.rows is None:
            return None
        if self.drawn is not None:
            return self.rows * (2 if self.pairs else self.drawn[0])
        return round(self.rows * sum(len(self.texts(one)) for one in self.sample) / max(1, len(self.sample)))

    def texts(self, record: Record) -> tuple[str, ...]:
        """The responses of a row that will be measured."""
        if not self.pairs:
            return record.responses
        return tuple(record.responses[i] for i in record.pair) if record.pair else record.responses[:2]


@dataclass(frozen=True)
class Disk:
    """What a step leaves on the disk, in bytes: an estimate from measured factors.

    Attributes:
        out: its output.
        work: unfinished work while it runs, which is gone afterwards.
        at_most: whether the responses do not exist yet, and each was counted at its limit.
    """

    out: int
    work: int
    at_most: bool = False


def disk(before: Volume, after: Volume, *, measures: bool, plain_text: bool) -> Disk | None:
    """What a step leaves on the disk; None where the rows are not known.

    The factors are those of whole runs on 3,959 judged pairs, 2,307 pairs of HH-RLHF and 805 prompts with 20 responses:
    per character of text 0.29 to 0.37 bytes in Parquet, 0.34 to 0.7 of unfinished work; per response 27 to 95 bytes of
    numbers.

    Args:
        before: the rows that it reads.
        after: the rows that it writes.
        measures: whether it measures responses.
        plain_text: whether it writes text rather than Parquet.
    """
    read, written = characters(before), characters(after)
    if read is None or written is None:
        return None
    numbers = NUMBERS * (after.sequences or 0)
    out = round(written * (PLAIN if plain_text else COLUMNS) + numbers)
    work = round(read * WORK + numbers) if measures else 0
    return Disk(out, work, before.drawn is not None or after.drawn is not None)


def characters(volume: Volume) -> int | None:
    """Characters of the texts of all rows, from the sample; at most those of responses that are to be drawn."""
    if volume.rows is None or not volume.sample:
        return None
    texts = [[one["content"] for one in record.prompt] for record in volume.sample]
    if volume.drawn is None:
        texts = [said + list(volume.texts(record)) for said, record in zip(texts, volume.sample, strict=True)]
    drawn = (volume.sequences or 0) * volume.drawn[1] * PER_TOKEN if volume.drawn else 0
    return round(volume.rows * sum(len(text) for row in texts for text in row) / len(texts)) + drawn


def is_here(name: str) -> bool:
    """Whether the data is on this machine's disk, so that reading it fetches nothing."""
    if name.startswith((HUB, "<")):
        return False
    return Path(name).exists() or bool(glob.glob(name, recursive=True))  # noqa: PTH207 (takes absolute patterns too)


def survey(
    data: Sequence[str], layout_of: LayoutOf, columns: Mapping[str, str] | None = None, limit: int | None = None
) -> Volume:
    """Count the rows, and sample up to 512 of them at even distances.

    Raises:
        InputError: the data cannot be read.
    """
    source = open_source(data, columns, limit)
    layout = layout_of(first_rows(source))
    sample: list[Record] = []
    rows, stride = 0, 1
    for chunk in source.chunks(CHUNK_ROWS):
        for row in chunk.rows:
            rows += 1
            if (rows - 1) % stride:
                continue
            try:
                sample.append(layout.parse(row))
            except RowError:
                continue
            if len(sample) >= 2 * SAMPLE:
                sample, stride = sample[::2], stride * 2
    return Volume(rows, False, tuple(sample))


def as_before(_: Settings, before: Volume, kind: RowKind | None) -> Volume:
    """The volume that a step leaves that writes every row.

    Args:
        before: the volume that it reads.
        kind: what a row of its output is.
    """
    return replace(before, pairs=before.pairs or kind == "pairs")
