"""The file of rejected rows: written to a temporary file as they come, and put in place with the output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.readers import Reject
from curate.readers.unusable import REJECT_SCHEMA, unusable
from curate.storage.disk import disk_errors, parquet_writer
from curate.storage.places import Kind, Place, check_nothing_foreign, check_table_name, next_to
from curate.writers.parquet import TABLE, write_output


def reject_counts(rejects: Iterable[pa.Table]) -> dict[str, int]:
    """The number of bad rows by reason, most frequent first."""
    reasons = Counter(reason for table in rejects for reason in table["reason"].to_pylist())
    return dict(reasons.most_common())


def rejects_place(out: Path, rejected: Mapping[str, int]) -> Path | None:
    """Where the bad rows are; None if there are none."""
    return next_to(out, "rejects") if rejected else None


def check_rejects(out: Path) -> None:
    """Refuse to replace a file that an earlier run did not write as its file of bad rows.

    Raises:
        StoreError: another file is in that place.
    """
    check_nothing_foreign(rejects_of(out))


def is_reject_file(path: Path) -> bool:
    """Whether an earlier run wrote its bad rows to this file."""
    try:
        return bool(path.is_file() and pq.read_schema(path).names == REJECT_SCHEMA.names)
    except (OSError, pa.ArrowException):
        return False


REJECTS = Kind(check_table_name, lambda path: None if is_reject_file(path) else path.name)
"""A file of rejected rows, with the reasons."""


def rejects_of(out: Path) -> Place:
    """The path of the rejected rows."""
    return Place(next_to(out, "rejects"), REJECTS)


def table_places(out: Path) -> tuple[Place, Place]:
    """The path of a table and the path of its rejected rows."""
    return Place(out, TABLE), rejects_of(out)


class RejectsFile:
    """`OUT.rejects.parquet` of one run, as a context manager.

    Nothing at its path changes before `place` is called. On normal exit, an earlier run's file is removed if this run
    rejected nothing; on an error, the temporary file is removed.

    Args:
        out: the output.
        strict: make the first rejected row an error.
    """

    def __init__(self, out: Path, *, strict: bool = False) -> None:
        self.reasons: Counter[str] = Counter()
        self.first: Reject | None = None
        self._out, self._strict = out, strict
        self._path = next_to(out, "rejects")
        self._aside = self._path.with_name(f".{self._path.name}.aside")
        self._opened = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    @property
    def path(self) -> Path | None:
        """Where the rejected rows are; None if there are none."""
        return self._path if self.reasons else None

    def add(self, tables: Iterable[pa.Table]) -> None:
        """Add rejected rows, each with its origin, reason and text.

        Raises:
            InputError: there is one, and the run is strict.
            StoreError: another file is in their place, or it cannot be written.
        """
        for table in tables:
            if table.num_rows:
                self.first = self.first or Reject(*table.slice(0, 1).to_pylist()[0].values())
                if self._strict:
                    raise unusable(self.first)
                with disk_errors(self._path):
                    self._writer = self._writer or self._open()
                    self._writer.write_table(table)
                self.reasons.update(table["reason"].to_pylist())

    def _open(self) -> pq.ParquetWriter:
        check_rejects(self._out)
        self._aside.parent.mkdir(parents=True, exist_ok=True)
        return self._opened.enter_context(parquet_writer(self._aside, REJECT_SCHEMA))

    def place(self) -> None:
        """Put the file in place if any row was rejected."""
        if self._writer is not None:
            with disk_errors(self._path):
                self._opened.close()
                self._aside.replace(self._path)

    def __enter__(self) -> RejectsFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        with suppress(OSError) if kind else disk_errors(self._path):
            self._opened.close()
            self._aside.unlink(missing_ok=True)
            if kind is None and not self.reasons and is_reject_file(self._path):
                self._path.unlink()


def write_with_rejects(
    unusable: Iterable[pa.Table],
    tables: Iterable[pa.Table],
    schema: pa.Schema,
    manifest: Mapping[str, Any],
    out: Path,
) -> int:
    """Write the output and its file of rejected rows; returns the number of rows in the output.

    Raises:
        StoreError: the disk is full, or an output cannot be written.
    """
    with RejectsFile(out) as rejects:
        rejects.add(unusable)
        return write_output(tables, schema, manifest, out, rejects.place)
