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
