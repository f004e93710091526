"""Write what a trainer reads: a folder with its data file and a snippet of its configuration.

Examples:
    curate export best.parquet -o for_trl --to trl
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from pydantic import Field

from curate.cards.content import Gathering
from curate.errors import SettingsError
from curate.exporters.extras import Extras, extras_of, has_rewards
from curate.exporters.folder import EXPORT, Telling, known_files, write_export
from curate.exporters.labels import NAMES, Labels, labels_of, unrated
from curate.exporters.push import check_push, push, repository_of
from curate.exporters.registry import Exporter, find_exporter
from curate.exporters.rows import Exporting, HasTools
from curate.jobs import space, summary
from curate.jobs.contract import Job
from curate.jobs.results import Shown
from curate.jobs.space import check_disk
from curate.lines import Next, Summary, counted, quoted
from curate.plan.shape import Shape
from curate.progress import Reporter
from curate.readers import Layout, detect, first_rows, input_paths, source_notes
from curate.readers.files.table import Table, open_table
from curate.readers.reading import what_is_read
from curate.settings import ReadingSettings, Settings, option
from curate.storage.disk import disk_errors
from curate.storage.places import Place
from curate.storage.placing import claimed
from curate.version import __version__
from curate.writers.history import manifests_of, recorded
from curate.writers.rejects_file import RejectsFile, rejects_of

LIMITS = ("desirable_above", "undesirable_below")
Rating = Annotated[float, Field(allow_inf_nan=False)]


class ExportSettings(Settings, ReadingSettings):
    """The options of `curate export`."""

    out: Path = option(help="A folder.", metavar="OUT", short="-o")
    to: str = option(
        help="trl, trl-reward, kto, openrlhf, llamafactory, axolotl, verl, torchtune, nemo-rl, ms-swift, "
        "open-instruct or argilla.",
        metavar="FORMAT",
    )
    desirable_above: Rating | None = option(
        None,
        "With kto: label responses by their own rating, desirable where it is greater than X. "
        "Default: as --undesirable-below, else the chosen response is desirable.",
        metavar="X",
    )
    undesirable_below: Rating | None = option(
        None,
        "With kto: undesirable where the rating is less than Y; responses in between are left out. "
        "Default: as --desirable-above.",
        metavar="Y",
    )
    keep_scores: bool = option(False, "Keep what curate measured, in columns named curate_...")
    push: str | None = option(
        None,
        "Also upload the folder to this data set of the Hugging Face hub; a new one is private. Needs a token "
        "(`hf auth login`, or HF_TOKEN).",
        metavar="hf://OWNER/NAME",
    )


@dataclass(frozen=True, repr=False)
class ExportResult(Shown):
    """What a run of `curate export` did.

    Attributes:
        format: the exporter's name.
        layout: the layout found.
        pairs: rows of the data that were used.
        rows: rows written; unpaired formats write another number than `pairs`.
        rejected: bad rows by reason, most frequent first.
        rejects: the file that contains them; None when there are none.
        columns: the columns written.
        files: names of the files in the folder `out`.
        labels: how many responses are desirable, undesirable, and left out by reason, where ratings decide.
        pushed: where the folder was uploaded to.
    """

    out: Path
    format: str
    layout: str
    pairs: int
    rows: int
    rejected: dict[str, int]
    rejects: Path | None
    columns: tuple[str, ...]
    files: tuple[str, ...]
    labels: dict[str, int] = field(default_factory=dict)
    pushed: str | None = None


def export(settings: ExportSettings, reporter: Reporter) -> ExportResult:
    """Read the pairs chunk by chunk and write them in the trainer's format.

    Raises:
        CurateError: anything that the user can fix; `out` is then unchanged.
    """
    exporter = check_export(settings)
    inputs = input_paths(settings.data)
    if settings.push is not None:
        check_push(settings.push)
    with claimed((Place(settings.out, EXPORT), rejects_of(settings.out)), inputs):
        check_disk(settings.out, inputs, space.EXPORT)
        result = _export(settings, exporter, reporter)
        if settings.push is None:
            return result
        with reporter.step("uploading", None):
            return replace(result, pushed=push(settings.out, settings.push, sorted(known_files())))


def _export(settings: ExportSettings, exporter: Exporter, reporter: Reporter) -> ExportResult:
    table = open_table(settings.data, settings.out, settings.columns)
    sample = first_rows(table.source)
    layout = detect(sample, "pairs", settings.ties, tools=True)
    reading = what_is_read(layout, sample)
    for note in (*source_notes(table.source), *reading.notes()):
        reporter.note(note)
    rewarded = has_rewards(layout, sample)
    labels = _labels(settings, exporter)
    if labels.by_rating and not rewarded:
        raise unrated(table.source.name)
    extras = extras_of(table, exporter, rewarded, settings.keep_scores)
    try:
        return _written(settings, exporter, table, layout, extras, labels, reporter)
    except HasTools:
        wider = replace(exporter, schema=exporter.with_tools)
        return _written(settings, wider, table, layout, extras, labels, reporter)


def _written(
    settings: ExportSettings,
    exporter: Exporter,
    table: Table,
    layout: Layout,
    extras: Extras,
    labels: Labels,
    reporter: Reporter,
) -> ExportResult:
    """Write the folder with the exporter's columns.

    Raises:
        HasTools: some row has tools, and there is no column for them.
    """
    schema = pa.schema([*exporter.schema, *extras.fields])

    def manifest(rows: int) -> dict[str, Any]:
        return _manifest(table, settings, job, rows)

    with RejectsFile(settings.out, strict=settings.strict) as rejects:
        job = Exporting(exporter, layout, extras, labels, rejects, Gathering(_selected_by(table)))
        telling = Telling(manifest, job.shown.content)
        rows = write_export(exporter, schema, job.batches(table, reporter), telling, settings.out, rejects.place)
    with disk_errors(settings.out):
        files = tuple(sorted(entry.name for entry in settings.out.iterdir()))
    if warning := labels.warning(job.labelled):
        reporter.note(warning)
    return ExportResult(
        settings.out,
        exporter.name,
        layout.name,
        job.pairs,
        rows,
        dict(rejects.reasons.most_common()),
        rejects.path,
        tuple(schema.names),
        files,
        {name: job.labelled[label] for label, name in NAMES.items()} if labels.by_rating else {},
    )


def _labels(settings: ExportSettings, exporter: Exporter) -> Labels:
    return labels_of(settings.desirable_above, settings.undesirable_below, exporter.unpaired, exporter.name)


def check_export(settings: ExportSettings) -> Exporter:
    """Return the exporter, after checking what can be checked without data.

    Raises:
        SettingsError: the format is unknown, cannot store the extra columns to be kept or has no labels, the limits of
            the labels contradict each other, or the data set to upload to is not named as one.
    """
    exporter = find_exporter(settings.to)
    _labels(settings, exporter)
    if settings.push is not None:
        repository_of(settings.push)
    if exporter.unpaired and settings.keep_scores:
        raise SettingsError(
            f"A row of {exporter.name} is one response; it cannot hold a pair's scores.",
            setting="keep_scores",
            value=True,
            hint="Leave it out, or choose a format of pairs.",
        )
    return exporter


def _manifest(table: Table, settings: ExportSettings, job: Exporting, rows: int) -> dict[str, Any]:
    left_out = {"left_out": {f"response {NAMES[None]}": job.labelled[None]}} if job.labelled[None] else {}
    return {
        "command": "export",
        "version": __version__,
        "settings": {"to": job.exporter.name, "keep_scores": settings.keep_scores, **_given(settings)},
        "inputs": table.source.fingerprints(),
        "layout": job.layout.name,
        "margin": job.extras.margin_from,
        "rows": {"pairs": job.pairs, "written": rows, "rejected": dict(sorted(job.rejects.reasons.items()))} | left_out,
        "history": manifests_of(table),
    }


def _selected_by(table: Table) -> str | None:
    """The metric that the newest selection of these rows ranked by."""
    by = recorded(manifests_of(table), "settings", "by")
    return None if by is None else str(by)


def _given(settings: ExportSettings) -> dict[str, Any]:
    """The settings that most exports do not have, where they were given."""
    return settings.model_dump(include={*ReadingSettings.model_fields, *LIMITS}, exclude_defaults=True)


def _shape(settings: ExportSettings, before: Shape) -> Shape:
    """The shape of what `curate export` writes: for the trainer, not for a later step."""
    if before.kind == "candidates":
        raise SettingsError(
            "These rows are candidates: a trainer reads pairs.",
            setting="to",
            value=find_exporter(settings.to).name,
            hint="Make pairs with `curate pair` first.",
        )
    return Shape()


def _summary(result: ExportResult) -> Summary:
    bad = sum(result.rejected.values())
    pairs = f"{counted(result.pairs, 'pair')} ({result.layout})"
    yield f"{pairs} exported for {result.format}, {counted(result.rows, 'row')}, {bad:,} unusable."
    yield from summary.unusable(result.rejected, result.rejects)
    if result.labels:
        good, bad_ones, neither = result.labels.values()
        yield f"{counted(good, 'response')} desirable, {bad_ones:,} undesirable, {neither:,} left out: {NAMES[None]}."
    yield f"columns: {', '.join(result.columns)}"
    yield f"wrote {result.out}: {', '.join(result.files)}"
    if result.pushed is not None:
        yield f"uploaded to {result.pushed}"
    if "README.md" in result.files:
        yield Next(f"cat {quoted(result.out / 'README.md')}")


JOB = Job("export", ExportSettings, export, _summary, check_export, shape=_shape, suffix="")
