"""What the jobs' outputs share: Arrow forms, and the file of bad rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import StoreError
from curate.output_paths import beside
from curate.pipeline.staged import Staged
from curate.readers.rejects import REJECT_SCHEMA

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
    path = beside(out, "rejects")
    if path.exists() and not is_reject_file(path):
        raise StoreError("The place of the rejects file is taken.", str(path), "Choose another place with -o.")


def is_reject_file(path: Path) -> bool:
    """Whether an earlier run wrote its bad rows here."""
    try:
        return bool(pq.read_schema(path).names == REJECT_SCHEMA.names)
    except (OSError, pa.ArrowInvalid):
        return False
