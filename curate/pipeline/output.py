"""What the jobs' outputs share: Arrow forms, and the file of bad rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curate.output_paths import Kind, Place, beside, check_nothing_foreign, check_table_name
from curate.pipeline.staged import Staged
from curate.readers.rejects import REJECT_SCHEMA
from curate.writers.parquet import TABLE

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def plain(array: pa.Array) -> pa.Array:
    """Without the large string and list types that Polars makes, which some readers do not know."""
    if pa.types.is_large_string(array.type) or str(array.type) == "string_view":
        return array.cast(pa.string())
    return array.cast(pa.list_(pa.string())) if pa.types.is_large_list(array.type) else array


def reject_counts(staged: Staged) -> dict[str, int]:
    """Bad rows by reason, the commonest first."""
    reasons = Counter(reason for table in staged.rejects.tables(["reason"]) for reason in table["reason"].to_pylist())
    return dict(reasons.most_common())


def rejects_place(out: Path, rejected: Mapping[str, int]) -> Path | None:
    """Where the bad rows are, None when there are none."""
    return beside(out, "rejects") if rejected else None


def check_rejects(out: Path) -> None:
    """Refuse to replace a file that is no earlier run's file of bad rows.

    Raises:
        StoreError: the place of the bad rows is taken.
    """
    check_nothing_foreign(rejects_of(out))


def is_reject_file(path: Path) -> bool:
    """Whether an earlier run wrote its bad rows here."""
    try:
        return bool(path.is_file() and pq.read_schema(path).names == REJECT_SCHEMA.names)
    except (OSError, pa.ArrowException):
        return False


REJECTS = Kind(check_table_name, lambda path: None if is_reject_file(path) else path.name)
"""A file of rows that could not be used, with the reasons."""


def rejects_of(out: Path) -> Place:
    """The place of the rows that cannot be used."""
    return Place(beside(out, "rejects"), REJECTS)


def table_places(out: Path) -> tuple[Place, Place]:
    """A table's place, and that of its rejects."""
    return Place(out, TABLE), rejects_of(out)
