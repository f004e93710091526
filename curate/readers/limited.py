"""The first rows of a data set: a source that ends early, to try a command before the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from curate.readers.contract import Chunk, Reject
from curate.readers.files.source import JoinedSource


def limited(source: JoinedSource, limit: int | None) -> JoinedSource:
    """At most so many rows of the source, in file order; None for all of them."""
    if limit is None:
        return source
    return replace(source, parts=(_First(source, limit),), head=source.head[:limit], as_stored=False)


@dataclass(frozen=True)
class _First:
    """The first rows of a source."""

    source: JoinedSource
    limit: int

    @property
    def name(self) -> str:
        """The user's name for it."""
        return self.source.name

    def fingerprints(self) -> list[dict[str, Any]]:
        """Those of the whole source."""
        return self.source.fingerprints()

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Its chunks until the limit, the last one cut."""
        left = self.limit
        for chunk in self.source.chunks(rows):
            if len(chunk.rows) >= left:
                yield _cut(chunk, left)
                return
            left -= len(chunk.rows)
            yield chunk


def _cut(chunk: Chunk, rows: int) -> Chunk:
    """The first rows of a chunk, with what could not be parsed before the last of them."""
    last = _number(chunk.origins[rows - 1])
    before = tuple(one for one in chunk.rejects if _is_before(one, last))
    return Chunk(chunk.table.slice(0, rows), chunk.rows[:rows], chunk.origins[:rows], before)


def _is_before(reject: Reject, last: int) -> bool:
    return _number(reject.origin) < last


def _number(origin: str) -> int:
    """The line or row of an origin such as `file.jsonl:12`."""
    return int(origin.rpartition(":")[2])
