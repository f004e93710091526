"""Detects the layout of a data set."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from curate.errors import InputError, RowError
from curate.readers.contract import Layout, Row, Tie
from curate.readers.layouts import all_layouts
from curate.readers.parts.messages import tools_in
from curate.readers.refusals import check_texts, several_structs, unreadable
from curate.readers.spelling import Spelling, spelling_of, struct_columns
from curate.readers.unread_verdicts import check_verdicts
from curate.schema import Record

Ties = Literal["drop", "keep", "error"]
NO_TOOLS = "which is not read here"


def detect(
    sample: Sequence[Row],
    prefer: Literal["pairs", "candidates"] | None = None,
    ties: Ties = "drop",
    *,
    tools: bool = False,
) -> Layout:
    """The layout of data with these first rows.

    Args:
        sample: the first rows; some may be bad.
        prefer: the kind to choose if the data fits both, such as SimPO's, which has a list and a pair.
        ties: what becomes of rows that say that neither response is better: `drop` rejects them, `keep` makes them
            pairs in their own order, flagged, `error` stops at the first.
        tools: whether rows with tools, and with calls of them, are read; otherwise they are bad.

    Raises:
        InputError: no known layout fits, or most rows hold something else than their column names say.
    """
    found = _detect(sample, prefer, ties)
    return found if tools else without_tools(found)


def without_tools(layout: Layout, why: str = NO_TOOLS) -> Layout:
    """The layout, for which rows with tools, or calls of them, are bad; `why` ends the reason."""

    def parse(row: Row) -> Record:
        record = layout.parse(row)
        check_no_tools(record, why)
        return record

    return replace(layout, parse=parse)


def check_no_tools(record: Record, why: str = NO_TOOLS) -> None:
    """Refuse a row with tools, or calls of them; `why` ends the reason.

    Raises:
        RowError: it has them.
    """
    if (found := tools_in(record)) is not None:
        raise RowError(f"{found}, {why}")


def _detect(sample: Sequence[Row], prefer: Literal["pairs", "candidates"] | None, ties: Ties) -> Layout:
    spelling = spelling_of(sample)
    rows = _readable(sample, spelling)
    check_texts(rows)
    layout = _first(rows, prefer)
    if layout is not None:
        check_verdicts(rows, layout)
        return _with_ties(_bound(layout, spelling), ties)
    found = list(_inside(sample, prefer))
    if len(found) > 1:
        raise several_structs([inside.inside or "" for inside, _, _ in found])
    for inside, layout, rows_inside in found:
        check_texts(rows_inside)
        check_verdicts(rows_inside, layout)
        return _with_ties(_bound(layout, inside), ties)
    raise unreadable(rows)


def _inside(sample: Sequence[Row], prefer: str | None) -> Iterator[tuple[Spelling, Layout, list[Row]]]:
    """The struct columns inside which a layout fits."""
    for name in struct_columns(sample):
        inside = replace(spelling_of(_readable(sample, Spelling({}, inside=name))), inside=name)
        rows = _readable(sample, inside)
        layout = _first(rows, prefer)
        if layout is not None:
            yield inside, layout, rows


def _first(rows: Sequence[Row], prefer: str | None) -> Layout | None:
    fitting = [layout for layout in all_layouts() if layout.matches(rows)]
    preferred = [layout for layout in fitting if layout.kind == prefer]
    return next(iter(preferred or fitting), None)


def _readable(sample: Sequence[Row], spelling: Spelling) -> list[Row]:
    """The rows that can be spelled as layouts read them; bad rows are ignored."""
    if not spelling.changes():
        return list(sample)
    rows: list[Row] = []
    for row in sample:
        # the reason is given when it is parsed
        with contextlib.suppress(RowError):
            rows.append(dict(spelling.row(row)))
    return rows


def _bound(layout: Layout, spelling: Spelling) -> Layout:
    """The layout, bound to rows of this spelling."""
    if not spelling.changes():
        return layout
    parse, parse_tie = layout.parse, layout.parse_tie
    tied = None if parse_tie is None else lambda row: parse_tie(spelling.row(row))
    return replace(layout, parse=lambda row: parse(spelling.row(row)), parse_tie=tied)


def _with_ties(layout: Layout, ties: Ties) -> Layout:
    """The layout with rows that are ties kept, or refused."""
    parse, parse_tie = layout.parse, layout.parse_tie
    if ties == "drop" or parse_tie is None:
        return layout

    def parse_all(row: Row) -> Record:
        try:
            return parse(row)
        except Tie as tie:
            if ties == "keep":
                return parse_tie(row)
            raise InputError(
                f"A row is a tie: {tie}.",
                ", ".join(f"{name}: {str(value)[:40]}" for name, value in list(row.items())[:4]),
                "`drop` sets such rows aside, `keep` makes them pairs with the flag tie.",
            ) from tie

    return replace(layout, parse=parse_all)
