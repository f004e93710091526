"""What a layout is, and what a source of rows yields: the contract of every file in this room."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import pyarrow as pa

from curate.errors import RowError
from curate.schema import Record

Row = Mapping[str, Any]


class Tie(RowError):
    """A row says that neither of its two responses is better."""


@dataclass(frozen=True)
class Layout:
    """One way in which data sets arrange pairs or candidates.

    Attributes:
        name: short name shown by `curate inspect`.
        summary: the columns it reads, in one line.
        priority: layouts are tried in ascending order; the first match wins.
        kind: whether its rows name a pair (`pairs`) or only a list of responses (`candidates`).
        matches: whether this layout fits, given the first rows of the data.
        parse: turns one row into a record; raises RowError with the reason if the row is bad, and Tie
            if it says that neither of its responses is better.
        parse_tie: reads such a row all the same, as a pair in the row's own order; None if there are no such rows.
    """

    name: str
    summary: str
    priority: int
    kind: Literal["pairs", "candidates"]
    matches: Callable[[Sequence[Row]], bool]
    parse: Callable[[Row], Record] = field(compare=False)
    parse_tie: Callable[[Row], Record] | None = None


@dataclass(frozen=True)
class Reject:
    """A rejected row: where it came from, why it was rejected, and its text."""

    origin: str
    reason: str
    raw: str


@dataclass(frozen=True)
class Chunk:
    """Some consecutive rows of a source.

    Attributes:
        table: the rows' own columns, as in the file.
        rows: the same rows as mappings, in the same order.
        origins: `file:number` of each row, counted from 1 (of JSON lines, the line).
        rejects: rows between them that could not even be parsed.
    """

    table: pa.Table
    rows: Sequence[Row]
    origins: Sequence[str]
    rejects: Sequence[Reject] = field(default=())


class Source(Protocol):
    """A readable data set, of any file format."""

    @property
    def name(self) -> str:
        """The user's name for it, for messages."""

    def fingerprints(self) -> list[dict[str, Any]]:
        """Base name, size in bytes and content hash of each file: never a path."""

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """All rows in file order, at most `rows` at a time; every call cuts at the same places."""
