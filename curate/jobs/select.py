"""Keep the best rows of a scored table.

Uses the column METRIC when it is there and no parameter of it is set; otherwise computes it from the measurements.
Rows without a value are never kept; ties are broken by pair_id; the input's order is kept.

Examples:
    curate select scored.parquet -o best.parquet --by dcrm --top 10%
    curate select scored.parquet -o kept.parquet --where "length_ratio < 2"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from curate.cards.history import comparison
from curate.errors import SettingsError, closest, did_you_mean
from curate.jobs import summary
from curate.jobs.contract import Job
from curate.jobs.report import page_of_result, page_places
from curate.jobs.results import Written
from curate.jobs.space import COPY, check_disk, kept_share
from curate.lines import Grid, Summary, counted
from curate.metrics.catalogue import in_force, with_its_metrics
from curate.metrics.registry import all_metrics, columns_read
from curate.plan.shape import RowKind, Shape
from curate.plan.volume import Volume
from curate.progress import Reporter
from curate.readers import input_paths
from curate.readers.files.table import Table, open_table
from curate.schema import FLAG_MEANINGS, FLAGS
from curate.selection.checking import check_select
from curate.selection.decision import REASON, Decision, decide
from curate.selection.filters import check_flags, no_flags
from curate.selection.moved import LABELS, Figures, PromptCounter, moved, sources_moved, told, warnings_of
from curate.selection.notes import kept_notes
from curate.selection.pick import Amount, End, parse_amount
from curate.selection.presets import find_preset, with_preset
from curate.selection.sorting import sorted_rows
from curate.selection.values import high_first, ranking_values
from curate.settings import SelectSettings, for_manifest
from curate.storage.places import Kind, Place
from curate.storage.placing import claimed
from curate.version import __version__
from curate.writers.history import manifests_of
from curate.writers.parquet import TABLE
from curate.writers.rejects_file import RejectsFile, is_reject_file
from curate.writers.rows import Slices, copy_rows


@dataclass(frozen=True, repr=False)
class SelectResult(Written):
    """What a run of `curate select` did.

    Attributes:
        rows: readable rows of the table; shares refer to these.
        kept: rows kept.
        reasons: rows not kept, by reason.
        preset: the preset used.
        by: the metric or column; None where only conditions decided.
        order: `highest` or `lowest` first.
        cut: the worst value kept.
        computed: whether this run computed the metric.
        parameters: the parameters used, by metric.
        rejected: unreadable rows of the files, by reason.
        rejects: the file that contains them; None when there are none.
        compared: over all rows and over those kept: means, medians, shares and counts, by name.
        warnings: what moved so much between the two that the selection may teach it.
        report: the page that shows the result; None without one.
        end: which end of the ranking was kept: `top`, `bottom` or `middle`.
    """

    out: Path
    rows: int
    kept: int
    reasons: dict[str, int]
    preset: str | None
    by: str | None
    order: str
    cut: float | None
    computed: bool
    parameters: dict[str, dict[str, Any]]
    rejected: dict[str, int]
    rejects: Path | None
    compared: Figures = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    report: Path | None = None
    end: str = "top"


@with_its_metrics
def select(settings: SelectSettings, reporter: Reporter) -> SelectResult:
    """Decide on whole columns, then copy the kept rows.

    Raises:
        CurateError: anything that the user can fix; the outputs are then unchanged.
    """
    settings, end, amount = check_select(settings)
    inputs = input_paths(settings.data)
    with claimed(_places(settings), inputs):
        check_disk(settings.out, inputs, COPY, kept_share(settings))
        table = open_table(settings.data, settings.out)
        with RejectsFile(settings.out, strict=settings.strict) as unread:
            unread.add(table.rejects())
            result = _select(table, settings, end, amount, unread, reporter)
        return replace(result, report=page_of_result(settings, reporter))


def _select(
    table: Table, settings: SelectSettings, end: End, amount: Amount | None, unread: RejectsFile, reporter: Reporter
) -> SelectResult:
    _check_apart(settings, unread)
    ranking = ranking_values(table, settings)
    values, used = ranking.values, ranking.used
    decision = decide(table, settings, values, end, amount)
    added = {settings.by: _slices(settings.by, values)} if values is not None and settings.by and used else {}
    order = "highest" if high_first(settings) else "lowest"
    notes = [*ranking.notes, *kept_notes(table, settings, values, decision, used)]
    figures, sources = moved(table, decision.mask), sources_moved(table, decision.mask)
    shares = {f"share of {name}": both for name, both in sources.items()}
    shown = told(figures | shares, settings.by, values, decision.mask)
    compared = comparison("all rows", "rows kept", (table.rows, decision.kept), shown)
    manifest = _manifest(table, settings, decision, order, used) | {"notes": notes, "compared": compared}

    def others() -> None:
        if settings.left_out is not None:
            not_kept = {**manifest, "part": "not kept"}
            copy_rows(table, {**added, REASON: decision.reasons_of}, not_kept, settings.left_out, ~decision.mask)
        unread.place()

    prompts, order_of = PromptCounter(table, decision.mask), sorted_rows(table, settings, decision.mask)
    copy_rows(table, added, manifest, settings.out, decision.mask, others, order_of, prompts.see)
    for note in notes:
        reporter.note(note)
    return SelectResult(
        settings.out,
        decision.mask.size,
        decision.kept,
        decision.counts,
        settings.preset,
        settings.by,
        order,
        None if values is None else _cut(values[decision.mask], order),
        bool(added),
        used,
        table.rejected,
        unread.path,
        figures | prompts.figures() | sources,
        tuple(warnings_of(figures | prompts.figures(), prompts, settings.by)),
        end=end,
    )


def _cut(kept: np.ndarray, order: str) -> float | None:
    """The worst value kept; None if no row has one."""
    known = kept[~np.isnan(kept)]
    return float(known.min() if order == "highest" else known.max()) if known.size else None


def _slices(name: str, values: np.ndarray) -> Slices:
    return lambda first, rows: pl.Series(name, values[first : first + rows], nan_to_null=True)


def _places(settings: SelectSettings) -> list[Place]:
    if settings.left_out is not None and settings.left_out.resolve() == settings.out.resolve():
        raise SettingsError(
            "The rows left out would replace the rows kept.",
            setting="left_out",
            value=settings.left_out,
            hint="Name another file.",
        )
    places = [Place(settings.out, TABLE)]
    if settings.left_out is not None:
        not_kept = Kind(TABLE.check_name, lambda path: None if is_reject_file(path) else TABLE.foreign(path))
        places.append(Place(settings.left_out, not_kept))
    return [*places, *page_places(settings)]


def _check_apart(settings: SelectSettings, unread: RejectsFile) -> None:
    """Refuse to write dropped rows and unreadable rows to the same file."""
    place = unread.path
    if place is not None and settings.left_out is not None and settings.left_out.resolve() == place.resolve():
        raise SettingsError(
            f"{sum(unread.reasons.values()):,} rows could not be read; they are written to this file too.",
            setting="left_out",
            value=settings.left_out,
            hint="Name another file for the rows that are left out.",
        )


def _manifest(
    table: Table, settings: SelectSettings, decision: Decision, order: str, used: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    versions = in_force().versions()
    return {
        "command": "select",
        "version": __version__,
        "settings": for_manifest(settings, defaults=False) | in_force().facts(),
        "inputs": table.source.fingerprints(),
        "order": order,
        "metrics": used,
        "rows": {
            "in": int(decision.mask.size),
            "kept": decision.kept,
            "not_kept": dict(sorted(decision.counts.items())),
            "rejected": table.rejected,
        },
        "history": manifests_of(table),
        **({"versions": versions} if versions else {}),
    }


def _shape(settings: SelectSettings, before: Shape) -> Shape:
    """The shape of what `curate select` writes."""
    from curate.selection.where import condition

    settings = with_preset(settings)
    read_by_where = condition(settings.where).columns if settings.where else ()
    for setting, name in (("per", settings.per), *(("where", one) for one in read_by_where)):
        if name is not None and before.lacks(name):
            raise SettingsError(
                f"There is no column {name}.", setting=setting, value=name, hint=did_you_mean(name, before.columns)
            )
    if settings.drop_flags:
        _check_flags(settings.drop_flags, before)
    by = settings.by
    if by is None or (not settings.options and by in before.columns):
        return before
    if by in all_metrics():
        if settings.options or before.lacks(by):
            before.require(columns_read(by, settings.options, before.columns), by)
    elif before.lacks(by):
        raise SettingsError(
            f"There is neither a metric nor a column called {by}.",
            setting="by",
            value=by,
            hint=did_you_mean(by, [*all_metrics(), *before.columns]),
        )
    return replace(before, columns=before.columns | {by})


def _check_flags(flags: Sequence[str], before: Shape) -> None:
    """Refuse flags of a table to come: none are there, or one is misspelt. A table's own flags are not known yet."""
    if before.lacks(FLAGS.name):
        raise no_flags(before.columns)
    check_flags([flag for flag in flags if closest(flag, FLAG_MEANINGS)], ())


def _volume(settings: SelectSettings, before: Volume, _: RowKind | None) -> Volume:
    settings = with_preset(settings)
    amount = next((text for text in (settings.top, settings.bottom, settings.middle) if text), None)
    if before.rows is None or amount is None or settings.per:
        return replace(before, at_most=True)
    return replace(before, rows=parse_amount(amount, "top").of(before.rows), at_most=True)


def _down_to(result: SelectResult) -> str:
    return "" if result.cut is None else f", {'down' if result.order == 'highest' else 'up'} to {result.cut:.6g}"


def _summary(result: SelectResult) -> Summary:
    how = ""
    if result.by is not None:
        computed = " (computed here)" if result.computed else ""
        end = {"bottom": ", from the worst end", "middle": ", from the middle"}.get(result.end)
        how = f" by {result.by}{computed}{end or f', {result.order} first'}"
        if end is None:
            how += _down_to(result)
    yield f"{result.kept:,} of {counted(result.rows, 'row')} kept{how}."
    yield from summary.unreadable(result.rejected, result.rejects)
    if result.preset is not None:
        preset = find_preset(result.preset)
        yield f"preset {result.preset} ({preset.source}). {preset.differs}".rstrip()
    for reason, count in result.reasons.items():
        yield f"  {count:,} left out: {reason}"
    yield from summary.parameters(result.parameters)
    if not result.kept:
        yield "warning: no row was kept; the output is empty."
    elif result.compared:
        rows = [(LABELS.get(name, name), before, after) for name, (before, after) in result.compared.items()]
        yield Grid(("", "before", "kept"), [("rows", result.rows, result.kept), *rows])
    for warning in result.warnings:
        yield f"warning: {warning}"
    show = ("curate show OUT", f"curate export OUT --to trl -o @{result.out.stem}_trl")
    yield from summary.written(result.out, *(show if result.kept else ()), page=result.report)


JOB = Job("select", SelectSettings, select, _summary, check_select, shape=_shape, volume=_volume)
