"""Show a scored table in one page that opens from disk and can be mailed.

Every number is computed over all rows. A click on a bar filters the page and shows the equal `curate select`.

Examples:
    curate report scored.parquet --selected best.parquet -o report.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate.errors import CurateError, InputError, SettingsError
from curate.jobs import results, summary
from curate.jobs.contract import Job
from curate.lines import Summary, counted, quoted
from curate.metrics.catalogue import with_its_metrics
from curate.metrics.registry import all_metrics, check_options
from curate.progress import Reporter
from curate.readers import Layout, input_paths
from curate.readers.files.table import Table, open_table
from curate.reporting.columns import Columns, Numbers, described, read_columns
from curate.reporting.document import Shown, document_of, metric_in_use
from curate.reporting.kept import Kept, read_kept
from curate.reporting.page import PAGE, page_of, write_page
from curate.reporting.texts import Texts, pair_layout, read_texts
from curate.selection.values import ranking_values
from curate.settings import ColumnSettings, MetricSettings, PairSettings, Record, SelectSettings, option
from curate.storage.places import Place
from curate.storage.placing import claimed
from curate.writers.history import manifests_of
from curate.writers.rejects_file import RejectsFile


class ReportSettings(MetricSettings, ColumnSettings):
    """The options of `curate report`."""

    out: Path = option(help="An .html file.", metavar="OUT", short="-o")
    selected: Path | None = option(
        None,
        "The rows that were kept, as `curate select` wrote them; found by pair_id.",
        metavar="KEPT.parquet",
        record=Record.MEANT,
    )
    compare: Path | None = option(
        None, "Another selection from the same table, to show next to that of --selected.", metavar="KEPT2.parquet"
    )
    by: str | None = option(
        None, "The metric to open with. Default: the one that selected, else a usual one.", metavar="METRIC"
    )


@dataclass(frozen=True, repr=False)
class ReportResult(results.Shown):
    """What a run of `curate report` did.

    Attributes:
        rows: rows of the table.
        kept: rows of the selection; None without one.
        by: the metric that the page opens with; None where the table has no numbers.
        sampled: rows that the page holds, and filters, as numbers; all its other figures are over all rows.
        pairs: pairs shown with their texts.
        size: bytes of the page.
        rejected: unreadable rows of the files, by reason.
        rejects: the file that contains them; None when there are none.
        next: the command to type next; None where the table has no metric, or the data came from standard input.
    """

    out: Path
    rows: int
    kept: int | None
    by: str | None
    sampled: int
    pairs: int
    size: int
    rejected: dict[str, int]
    rejects: Path | None
    next: str | None


@with_its_metrics
def report(settings: ReportSettings, reporter: Reporter) -> ReportResult:
    """Compute every figure over all rows, then write the page.

    Raises:
        CurateError: anything that the user can fix; `out` is then unchanged.
    """
    check_report(settings)
    selections = [str(one) for one in (settings.selected, settings.compare) if one]
    inputs = [*input_paths(settings.data), *(input_paths(selections) if selections else ())]
    with claimed([Place(settings.out, PAGE)], inputs):
        table = open_table(settings.data, settings.out, settings.columns)
        with RejectsFile(settings.out, strict=settings.strict) as unread:
            unread.add(table.rejects())
            return _report(table, settings, unread, reporter)


def page_places(settings: SelectSettings | PairSettings) -> list[Place]:
    """Where a command's `--report` will write, to be held with its other outputs."""
    return [] if settings.report is None else [Place(settings.report, PAGE)]


def page_of_result(settings: SelectSettings | PairSettings, reporter: Reporter) -> Path | None:
    """Write the page that a command's `--report` asks for, after its output is in place.

    Returns:
        The page; None if none was asked for, or if it could not be written, which a note says: the output stays.
    """
    if settings.report is None:
        return None
    asked = ReportSettings(data=(str(settings.out),), out=settings.report, metrics=settings.metrics)
    if isinstance(settings, SelectSettings):
        ranked = {"by": settings.by, "options": settings.options}
        asked = asked.model_copy(update={"data": settings.data, "selected": settings.out, **ranked})
    try:
        table = open_table(asked.data, asked.out)
        with RejectsFile(asked.out) as none_here:
            return _report(table, asked, none_here, reporter).out
    except CurateError as error:
        reporter.note(f"warning: the page was not written; the output is complete. {str(error).splitlines()[0]}")
        return None


def check_report(settings: ReportSettings) -> None:
    """Refuse settings that no data could make valid.

    Raises:
        SettingsError: an unknown metric or parameter, or a comparison without the first selection.
    """
    check_options(settings.options)
    if settings.compare is not None and settings.selected is None:
        raise SettingsError(
            "There is no selection to compare with.",
            setting="compare",
            value=settings.compare,
            hint="Give the first selection with --selected.",
        )


def _report(table: Table, settings: ReportSettings, unread: RejectsFile, reporter: Reporter) -> ReportResult:
    layout, notes = _layout(table)
    texts = _texts(table, layout, reporter)
    columns = read_columns(table, texts, _ranked(table, settings, notes))
    kept = read_kept(settings.selected, columns, settings.out) if settings.selected else None
    other = read_kept(settings.compare, columns, settings.out, "compare") if settings.compare else None
    by = metric_in_use(columns, settings.by, kept, manifests_of(table))
    notes += _notes(columns, texts, [one for one in (kept, other) if one])
    names = tuple(one if "://" in one else Path(one).name for one in settings.data)
    with reporter.step("computing figures", table.rows) as step:
        document = document_of(Shown(table, layout, columns, texts, kept, other, by, names, notes))
        step.advance(table.rows)
    text = page_of(document, f"{', '.join(names)} - curate report")
    write_page(text, settings.out, unread.place)
    for note in notes:
        reporter.note(note)
    return ReportResult(
        settings.out,
        table.rows,
        kept.rows if kept else None,
        by,
        document["sample"]["rows"],
        len(document["pairs"]),
        len(text.encode()),
        table.rejected,
        unread.path,
        _next(settings, by),
    )


def _next(settings: ReportSettings, by: str | None) -> str | None:
    """Look at the rows kept, or keep some by the metric that the page opens with."""
    if settings.selected is not None:
        return f"curate show {quoted(settings.selected)}"
    data = summary.typed(settings.data)
    if data is None or by is None or by not in all_metrics() or settings.options:
        return None
    more = "".join(f" --metrics {quoted(one)}" for one in settings.metrics)
    return f"curate select {data} --by {by} --top 10% -o {quoted(settings.out.with_name('best.parquet'))}{more}"


def _layout(table: Table) -> tuple[Layout | None, list[str]]:
    """How the texts are read. A table of numbers alone is shown without texts, and a note says so."""
    names = set(table.schema.names)
    if not names & {"prompt", "chosen", "rejected", "messages", "conversations", "responses"}:
        return None, ["The table has no texts: pairs are shown by their numbers, and every row counts as one prompt."]
    return pair_layout(table), []


def _texts(table: Table, layout: Layout | None, reporter: Reporter) -> Texts | None:
    if layout is None:
        return None
    with reporter.step("reading texts", table.rows) as step:
        found = read_texts(table, layout, step.advance)
    if found.unreadable == table.rows:
        raise InputError("No row's texts can be read.", table.source.name, "See `curate inspect`.")
    return found


def _ranked(table: Table, settings: ReportSettings, notes: list[str]) -> Numbers | None:
    """The values of `--by`, if they are not simply a column of numbers: as `curate select` would compute them."""
    if settings.by is None and not settings.options:
        return None
    asked = SelectSettings(
        data=settings.data, out=settings.out, by=settings.by, options=settings.options, metrics=settings.metrics
    )
    ranking = ranking_values(table, asked)
    notes += ranking.notes
    known = ranking.values if ranking.values is not None else np.full(table.rows, np.nan)
    name = str(settings.by)
    return described(Numbers(name, known, in_table=name in table.schema.names or name in all_metrics()))


def _notes(columns: Columns, texts: Texts | None, selections: Sequence[Kept]) -> list[str]:
    found = []
    if columns.left_out:
        found.append(f"The page has no room for {len(columns.left_out)} columns: {', '.join(columns.left_out)}.")
    if texts is not None and texts.unreadable:
        found.append(f"The texts of {texts.unreadable:,} rows cannot be read; each of them counts as a prompt.")
    found += [f"{one.missing:,} rows of {one.name} are not in the table." for one in selections if one.missing]
    if columns.length is None:
        found.append("Nothing says how long the responses are, so there are no figures on length.")
    return found


def _summary(result: ReportResult) -> Summary:
    kept = "" if result.kept is None else f", {result.kept:,} kept"
    by = "" if result.by is None else f", opening with {result.by}"
    yield f"{counted(result.rows, 'row')}{kept}{by}; {counted(result.pairs, 'pair')} with numbers."
    if result.sampled < result.rows:
        yield f"Figures are over all rows; a click filters a random sample of {result.sampled:,}."
    yield from summary.unreadable(result.rejected, result.rejects)
    yield f"wrote {result.out} ({result.size / 1e6:.2f} MB)"
    yield from summary.next_lines(result.next)


JOB = Job("report", ReportSettings, report, _summary, check_report, is_step=False, suffix=".html")
