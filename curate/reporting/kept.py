"""What was kept of a table, and by which rule: from the file of the rows kept, or from the table's own manifests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from curate.errors import SettingsError
from curate.readers.files.table import open_table
from curate.reporting.columns import Columns
from curate.schema import PAIR_ID
from curate.writers.history import manifests_of


@dataclass(frozen=True)
class Kept:
    """Which rows of the table were kept.

    Attributes:
        mask: bool [rows].
        name: of the file with the rows kept.
        manifest: of that file; None where another tool wrote it.
        missing: rows of the file that are not in the table.
    """

    mask: np.ndarray
    name: str
    manifest: dict[str, Any] | None
    missing: int

    @property
    def rows(self) -> int:
        """The number of rows kept."""
        return int(self.mask.sum())

    @property
    def by(self) -> str | None:
        """The column or metric that decided, if the manifest says so."""
        by = (self.manifest or {}).get("settings", {}).get("by")
        return by if isinstance(by, str) else None


def read_kept(selected: Path, columns: Columns, out: Path, setting: str = "selected") -> Kept:
    """Find the rows of a selection by `pair_id`; of equal rows, the first ones, as many as the selection has.

    Raises:
        InputError: the file cannot be read.
        SettingsError: one of the two has no `pair_id`, or they have no row in common.
    """
    table = open_table([str(selected)], out)
    if columns.ids is None or PAIR_ID.name not in table.schema.names:
        where = "the table" if columns.ids is None else selected.name
        raise SettingsError(
            f"The rows kept are found by pair_id, and {where} has no such column.",
            setting=setting,
            value=selected,
            hint="Score the pairs with `curate score`, then select from that.",
        )
    held = _numbered(columns.ids)
    wanted = _numbered(table.numbers([PAIR_ID.name])[PAIR_ID.name]).drop_nulls()
    found = held.join(wanted.with_columns(kept=True), on=["id", "copy"], how="left", maintain_order="left")
    mask = found["kept"].fill_null(False).to_numpy()
    missing = wanted.height - int(mask.sum())
    if not mask.any() and wanted.height:
        raise SettingsError(
            "None of its rows is in the table.",
            setting=setting,
            value=selected,
            hint="Give the table from which they were selected.",
        )
    return Kept(mask, selected.name, newest(manifests_of(table)), missing)


def _numbered(ids: pl.Series) -> pl.DataFrame:
    """Each id, and how many rows before have the same one: equal rows have equal ids."""
    return pl.DataFrame({"id": ids}).with_columns(copy=pl.int_range(pl.len()).over("id"))


def newest(manifests: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The manifest of a table's first file; None if it has none."""
    return manifests[0] if manifests else None


def reasons(manifest: dict[str, Any] | None) -> dict[str, int]:
    """The rows that a selection dropped, by reason, as its manifest says."""
    rows = (manifest or {}).get("rows", {})
    return {str(reason): int(count) for reason, count in (rows.get("not_kept") or {}).items()}
