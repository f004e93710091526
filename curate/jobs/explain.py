"""Show one pair: each number and its percentile, the terms of each metric, and why a selection kept it or not.

Examples:
    curate explain scored.parquet row:1 --selected best.parquet
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.errors import InputError, SettingsError
from curate.jobs import summary
from curate.jobs.contract import Job
from curate.jobs.results import Shown
from curate.lines import Grid, Strong, Summary, cell, quoted
from curate.metrics.catalogue import with_its_metrics
from curate.metrics.registry import all_metrics, as_numbers, find
from curate.progress import Reporter
from curate.readers.files.table import Table, open_table
from curate.schema import FLAGS, PAIR_ID
from curate.selection.verdict import Verdict, decided_again
from curate.settings import DataSettings, Files, MetricSettings, Record, option
from curate.writers.history import manifests_of, recorded

SHOWN_IDS = 3
ROW = re.compile(r"row:(\d+)")
TEXTS = ("prompt", "chosen", "rejected", FLAGS.name)


class ExplainSettings(DataSettings):
    """The options of `curate explain`."""

    pair_id: str = option(
        help="The pair's `pair_id`, or how it begins; or its row, counted from 1, as row:1.",
        metavar="PAIR_ID",
        record=Record.MEANT,
        argument=True,
    )
    selected: Path | None = option(
        None, "What `curate select` kept of this table: also show the rule, and how far the pair is from the cut."
    )
    metrics: Files = option((), MetricSettings.model_fields["metrics"].description or "", metavar="FILE")


@dataclass(frozen=True)
class Number:
    """One number of the pair.

    Attributes:
        value: None where the row has none.
        percentile: the share of rows with a smaller value, and half of those with the same, from 0 to 100.
    """

    name: str
    value: float | None
    percentile: float | None


@dataclass(frozen=True)
class Term:
    """One metric of the pair, and what it was computed from.

    Attributes:
        better: `higher` or `lower`.
        reads: the columns that it reads, with the pair's values.
        parameters: as they were when the metric was computed; its defaults where no manifest tells.
    """

    number: Number
    better: str
    formula: str
    reads: dict[str, float | None]
    parameters: dict[str, Any]


@dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """One pair.

    Attributes:
        row: its place in the table, counted from 1.
        rows: rows of the table.
        texts: its prompt, chosen and rejected, as the table has them.
        verdict: what the selection did; None where none was given.
        next: the command to type next; None where the table has no metric, or the data came from standard input.
    """

    pair_id: str
    row: int
    rows: int
    texts: dict[str, Any]
    flags: tuple[str, ...]
    numbers: tuple[Number, ...]
    metrics: tuple[Term, ...]
    verdict: Verdict | None
    next: str | None


@with_its_metrics
def explain(settings: ExplainSettings, _: Reporter) -> Explanation:
    """Look the pair up and place each of its numbers among those of all rows.

    Raises:
        CurateError: there is no such pair, or the selection was not made from this table.
    """
    table = open_table(settings.data, Path("unused"))
    pair_id, row = _found(table, settings.pair_id)
    names = [field.name for field in table.schema if _is_number(field.type)]
    held = {one.name: one for one in (_placed(table, name, row) for name in names)}
    metrics = tuple(_term(table, held[name], held) for name in names if name in all_metrics())
    numbers = tuple(one for name, one in held.items() if name not in all_metrics())
    here = {name: _plain(table.taken(name, np.array([row]))[0]) for name in TEXTS if name in table.schema.names}
    flags = here.pop(FLAGS.name, None) or ()
    verdict = None
    if settings.selected is not None:
        verdict = decided_again(table, settings.selected, settings.data, settings.metrics).verdict(row)
    return Explanation(
        pair_id, row + 1, table.rows, here, tuple(flags), numbers, metrics, verdict, _next(settings, metrics)
    )


def _next(settings: ExplainSettings, metrics: Sequence[Term]) -> str | None:
    """Look at more pairs: those that the selection kept, or the best by a metric of the table."""
    data, names = summary.typed(settings.data), [one.number.name for one in metrics]
    if data is None or not (names or settings.selected):
        return None
    if settings.selected is not None:
        return f"curate show {data} --selected {quoted(settings.selected)}"
    by = next((name for name in summary.USUAL if name in names), names[0])
    more = "".join(f" --metrics {quoted(one)}" for one in settings.metrics)
    return f"curate show {data} --by {by}{more}"


def _found(table: Table, wanted: str) -> tuple[str, int]:
    """The id and row number of the pair whose id this is, or begins with this; or of the row that is named."""
    if match := ROW.fullmatch(wanted):
        return _in_row(table, int(match[1]))
    if PAIR_ID.name not in table.schema.names:
        raise InputError(
            f"The table has no column {PAIR_ID.name}.",
            table.source.name,
            "Make it with `curate score`, or name a row: row:1.",
        )
    ids = table.numbers([PAIR_ID.name])[PAIR_ID.name]
    rows = np.flatnonzero(ids.str.starts_with(wanted).fill_null(False).to_numpy()) if wanted else np.zeros(0, int)
    found = list(dict.fromkeys(ids.gather(rows).to_list()))
    if len(found) == 1:
        return str(found[0]), int(rows[0])
    several = f"{len(found):,} ids begin so: {', '.join(map(str, found[:SHOWN_IDS]))}, ..."
    raise SettingsError(
        "No pair has this id." if not found else "Several pairs have an id that begins like this.",
        f"pair_id {wanted}",
        several if found else f"For example: {ids[0]}",
    )


def _in_row(table: Table, number: int) -> tuple[str, int]:
    if not 1 <= number <= table.rows:
        raise SettingsError(
            f"There is no row {number:,}.", f"pair_id row:{number}", f"The table has rows 1 to {table.rows:,}."
        )
    at = np.array([number - 1])
    return (str(table.taken(PAIR_ID.name, at)[0]) if PAIR_ID.name in table.schema.names else ""), number - 1


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _placed(table: Table, name: str, row: int) -> Number:
    values = as_numbers(table.numbers([name])[name])
    value = values[row]
    known = values.drop_nulls()
    if value is None:
        return Number(name, None, None)
    below, equal = int((known < value).sum()), int((known == value).sum())
    return Number(name, float(value), 100 * (below + equal / 2) / known.len())


def _term(table: Table, number: Number, held: Mapping[str, Number]) -> Term:
    chosen = find(number.name)
    told = recorded(manifests_of(table), "metrics", number.name) or {}
    known = {alias for field in chosen.model.model_fields.values() if (alias := field.alias)}
    parameters = chosen.resolve(
        chosen.parameters({key: value for key, value in told.items() if key in known}), frozenset(table.schema.names)
    )
    reads = dict.fromkeys((*chosen.columns, *chosen.needs(parameters)))
    values = {name: held[name].value if name in held else None for name in reads}
    better = "higher" if chosen.prefer == "high" else "lower"
    return Term(number, better, chosen.section("Formula"), values, chosen.shown(parameters))


def _plain(value: Any) -> Any:
    return value.to_list() if isinstance(value, pl.Series) else value


def _summary(found: Explanation) -> Summary:
    yield f"pair {found.pair_id}, row {found.row:,} of {found.rows:,}"
    for name, text in found.texts.items():
        yield ""
        yield Strong(name)
        yield _spoken(text)
    if found.flags:
        yield f"\nflags: {', '.join(found.flags)}"
    rows = [(one.name, one.value, _percentile(one)) for one in found.numbers]
    yield Grid(("number", "value", "percentile"), rows)
    for term in found.metrics:
        one = term.number
        yield Strong(one.name, f" {cell(one.value)}, percentile {_percentile(one)} ({term.better} is better)")
        yield f"  {term.formula}"
        reads = [f"{name} {cell(value)}" for name, value in term.reads.items()]
        yield "  " + ", ".join([*reads, *(f"{name}={value}" for name, value in term.parameters.items())])
    if found.verdict is not None:
        yield from _verdict_lines(found.verdict)
    if found.next is not None:
        yield ""
    yield from summary.next_lines(found.next)


def _verdict_lines(verdict: Verdict) -> Summary:
    yield "\nkept" if verdict.reason is None else f"\nleft out: {verdict.reason}"
    yield f"  rule: {verdict.rule}"
    if verdict.by is not None:
        rank = f"rank {verdict.rank:,} of {verdict.ranked:,}" if verdict.rank else "no value"
        line = f"  {verdict.by} {cell(verdict.value)}, {rank}; worst kept {cell(verdict.cut)}"
        yield line + (f", {verdict.distance:+.4g} from it" if verdict.distance is not None else "")


def _percentile(one: Number) -> str:
    return "-" if one.percentile is None else f"{one.percentile:.1f}"


def _spoken(text: Any) -> str:
    """A text; of an answer's conversation its last message, of a prompt's all with their roles."""
    if not isinstance(text, list):
        return str(text)
    said = [f"{one['role']}: {one['content']}" for one in text]
    return said[-1].partition(": ")[2] if text and text[-1]["role"] == "assistant" else "\n".join(said)


JOB = Job("explain", ExplainSettings, explain, _summary, is_step=False)
