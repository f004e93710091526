"""Which layout a data set has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from curate.errors import InputError
from curate.readers.contract import Layout, Row
from curate.readers.layouts import all_layouts


def detect(sample: Sequence[Row], prefer: Literal["pairs", "candidates"] | None = None) -> Layout:
    """The layout of the data whose first rows these are.

    Args:
        sample: the first rows; some may be bad.
        prefer: the kind to take where the data fits both, such as SimPO's, which hold a list and a pair.

    Raises:
        InputError: no known layout fits.
    """
    fitting = [layout for layout in all_layouts() if layout.matches(sample)]
    if not fitting:
        columns = dict.fromkeys(str(name) for row in sample for name in row)
        known = "; ".join(f"{layout.name}: {layout.summary}" for layout in all_layouts())
        raise InputError(
            "No known layout fits the data.",
            f"Columns found: {', '.join(columns) or 'none'}.",
            f"Rename the columns to those of one layout. Known: {known}.",
        )
    preferred = [layout for layout in fitting if layout.kind == prefer]
    return (preferred or fitting)[0]
