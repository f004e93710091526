"""Rows that cannot be used, as a table: where each came from, why, and its text."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from curate.errors import InputError
from curate.readers.contract import Reject

REJECT_SCHEMA = pa.schema([("source", pa.string()), ("reason", pa.string()), ("row", pa.string())])


def reject_table(rejects: Sequence[Reject]) -> pa.Table:
    """One row for each reject."""
    rows = [(one.origin, one.reason, one.raw) for one in rejects]
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table([pa.array(list(values), pa.string()) for values in columns], schema=REJECT_SCHEMA)


def nothing_usable(first: Reject | None, name: str) -> InputError:
    """The error if no row of this data can be used; gives the first one's reason."""
    reason = f"the first one ({first.origin}): {first.reason}" if first else "there are none"
    return InputError(f"No row can be used; {reason}.", name, "`curate inspect` shows what was found.")


def unusable(reject: Reject) -> InputError:
    """The error that a strict run makes of a row that cannot be used."""
    return InputError(
        f"A row cannot be used: {reject.reason}.", reject.origin, "Leave out --strict to set such rows aside."
    )
