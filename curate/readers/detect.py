"""Which layout a data set has."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from curate.errors import RowError
from curate.readers.contract import Layout, Row
from curate.readers.layouts import all_layouts
from curate.readers.refusals import check_texts, unreadable
from curate.readers.spelling import Spelling, spelling_of, struct_columns


def detect(sample: Sequence[Row], prefer: Literal["pairs", "candidates"] | None = None) -> Layout:
    """The layout of the data whose first rows these are.

    Args:
        sample: the first rows; some may be bad.
        prefer: the kind to take where the data fits both, such as SimPO's, which hold a list and a pair.

    Raises:
        InputError: no known layout fits, or most rows hold something else than their columns' names say.
    """
    spelling = spelling_of(sample)
    rows = _readable(sample, spelling)
    check_texts(rows)
    layout = _first(rows, prefer)
    if layout is not None:
        return _bound(layout, spelling)
    for name in struct_columns(sample):
        inside = replace(spelling_of(_readable(sample, Spelling({}, inside=name))), inside=name)
        rows_inside = _readable(sample, inside)
        layout = _first(rows_inside, prefer)
        if layout is not None:
            check_texts(rows_inside)
            return _bound(layout, inside)
    raise unreadable(rows)


def _first(rows: Sequence[Row], prefer: str | None) -> Layout | None:
    fitting = [layout for layout in all_layouts() if layout.matches(rows)]
    preferred = [layout for layout in fitting if layout.kind == prefer]
    return next(iter(preferred or fitting), None)


def _readable(sample: Sequence[Row], spelling: Spelling) -> list[Row]:
    """The rows that can be spelled as the layouts read them; a bad one says nothing of the table."""
    if not spelling.changes():
        return list(sample)
    rows: list[Row] = []
    for row in sample:
        # its reason is given when it is parsed
        with contextlib.suppress(RowError):
            rows.append(dict(spelling.row(row)))
    return rows


def _bound(layout: Layout, spelling: Spelling) -> Layout:
    """The layout, made to read rows of this spelling."""
    if not spelling.changes():
        return layout
    parse = layout.parse
    return replace(layout, parse=lambda row: parse(spelling.row(row)))
