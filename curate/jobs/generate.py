"""Sample responses to prompts.

Reads prompts as text or messages, also those of pairs and candidates. Writes one row per prompt, with lists that
`curate score` and `curate pair` read. Rerun the same command to resume an interrupted run.

Examples:
    curate generate prompts.jsonl -o sampled.parquet --policy MODEL -n 8
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.engines import local
from curate.engines.cluster import session
from curate.jobs import summary
from curate.jobs.contract import Job
from curate.jobs.results import Written
from curate.jobs.space import GENERATE, check_disk
from curate.lines import Grid, Summary, counted
from curate.plan.cost import drawing_costs
from curate.plan.generation import GenerationPlan, check_generate, drawn_with, draws_of, plan_generation
from curate.plan.shape import RowKind, Shape
from curate.plan.volume import Volume
from curate.progress import Reporter
from curate.readers import input_paths, prompts_layout
from curate.responses.carried import carried, carried_schema
from curate.responses.prompts import LISTS, Prompts, prompts_of
from curate.responses.stage import stage
from curate.responses.table import messages_of
from curate.schema import SAMPLED, TOKENS
from curate.settings import GenerateSettings
from curate.storage.placing import claimed
from curate.storage.workspace import Workspace
from curate.version import __version__
from curate.writers.rejects_file import reject_counts, rejects_place, table_places, write_with_rejects
from curate.writers.rows import MESSAGES


@dataclass(frozen=True)
class WriterSummary:
    """What one model generated at one temperature.

    Attributes:
        drawn: responses sampled.
        kept: responses written, after removing duplicates.
        cut: sampled responses that hit the token limit.
        mean_tokens: mean tokens per sampled response.
    """

    model: str
    temperature: float
    drawn: int
    kept: int
    cut: int
    mean_tokens: float


@dataclass(frozen=True, repr=False)
class GenerateResult(Written):
    """What a run of `curate generate` did.

    Attributes:
        out: where the table is.
        rejects: where the bad rows are; None when there were none.
        layout: the layout found.
        rows: usable rows read.
        prompts: prompts sampled; one row is written for each.
        responses: responses written.
        rejected: bad rows by reason.
        writers: a summary per model and temperature.
        unread: columns of the data that were not read.
    """

    out: Path
    rejects: Path | None
    layout: str
    rows: int
    prompts: int
    responses: int
    rejected: dict[str, int]
    writers: list[WriterSummary]
    unread: tuple[str, ...] = ()


def generate(settings: GenerateSettings, reporter: Reporter) -> GenerateResult:
    """Read the prompts, sample the responses and write one row per prompt.

    Raises:
        CurateError: anything that the user can fix; `out` is then unchanged.
    """
    inputs = input_paths(settings.data)
    with claimed(table_places(settings.out), inputs), session():
        check_disk(settings.out, inputs, GENERATE)
        return _generate(settings, reporter)


def _generate(settings: GenerateSettings, reporter: Reporter) -> GenerateResult:
    plan = plan_generation(settings)
    for note in plan.notes:
        reporter.note(note)
    identity = {"command": "generate", "version": __version__, **plan.identity()}
    with Workspace(settings.out, identity, fresh=settings.fresh, note=reporter.note) as workspace:
        staged = stage(plan.source, plan.layout, workspace, reporter, as_pairs=False, strict=settings.strict)
        prompts = prompts_of(staged, plan.draws, settings.every_row)
        for writer in plan.writers:
            windows, shards = prompts.windows(writer.model), workspace.shards(writer.name)
            local.run(writer, windows, prompts.drawn, shards, reporter, plan.devices)
        result = _write(plan, prompts, workspace, identity, reporter)
        workspace.finish()
    return result


def _write(
    plan: GenerationPlan, prompts: Prompts, workspace: Workspace, identity: dict[str, Any], reporter: Reporter
) -> GenerateResult:
    staged, settings = prompts.staged, plan.settings
    schema = carried_schema(staged, reporter)

    def tables() -> Iterator[pa.Table]:
        for rows, texts, lists, _ in prompts.chunks(plan.writers, workspace, settings.keep_duplicates):
            columns: dict[str, Any] = {}
            if schema is not None:
                own = carried(schema, staged, rows)
                columns = {name: own[name] for name in own.column_names}
            columns["prompt"] = pa.array([messages_of(text) for text in texts], MESSAGES)
            yield pa.table(columns | {name: lists[name] for name in LISTS})

    tally: Counter[Any] = Counter()
    for *_, found in prompts.chunks(plan.writers, workspace, settings.keep_duplicates):
        tally.update(found)
    writers = _summaries(plan, tally)
    written = sum(one.kept for one in writers)
    rejected = reject_counts(staged.rejects.tables(["reason"]))
    size = int(prompts.rows.size)
    notes = {writer.model: workspace.shards(writer.name).notes() or [] for writer in plan.writers}
    manifest = {
        **identity,
        "rows": {"read": int(staged.counts.size), "written": size, "rejected": rejected},
        "columns": plan.reading.facts(),
        "responses": {"drawn": sum(one.drawn for one in writers), "written": written},
        "writers": [vars(one) for one in writers],
        "notes": {model: said for model, said in notes.items() if said},
    }
    write_with_rejects(staged.rejects.tables(), tables(), next(tables()).schema, manifest, settings.out)
    rejects = rejects_place(settings.out, rejected)
    layout, unread, rows = plan.layout.name, plan.reading.unread, int(staged.counts.size)
    return GenerateResult(settings.out, rejects, layout, rows, size, written, rejected, writers, unread)


def _summaries(plan: GenerationPlan, tally: Counter[Any]) -> list[WriterSummary]:
    found = []
    for writer in plan.writers:
        for temperature in plan.draws.temperatures:
            drawn, kept, cut, tokens = (
                tally[writer.model, temperature, what] for what in ("drawn", "kept", "cut", "tokens")
            )
            found.append(WriterSummary(writer.model, temperature, drawn, kept, cut, tokens / drawn))
    return found


def _shape(_: GenerateSettings, before: Shape) -> Shape:
    """The shape of what `curate generate` writes."""
    drawn = {column.name for column in SAMPLED}
    return replace(
        before, kind="candidates", fields=frozenset({TOKENS.name}), columns=before.columns | {"prompt"} | drawn
    )


def _volume(settings: GenerateSettings, before: Volume, _: RowKind | None) -> Volume:
    return replace(before, at_most=True, drawn=(draws_of(settings), settings.max_tokens), pairs=False)


def _summary(result: GenerateResult) -> Summary:
    bad = sum(result.rejected.values())
    yield (
        f"{counted(result.rows + bad, 'row')} in ({result.layout}), {counted(result.prompts, 'prompt')} sampled, "
        f"{bad:,} unusable."
    )
    yield from summary.unusable(result.rejected, result.rejects)
    yield from summary.unread(result.unread)
    header = ("model", "temperature", "drawn", "different", "cut at the limit", "mean tokens")
    yield Grid(header, [tuple(vars(one).values()) for one in result.writers])
    yield f"{counted(result.responses, 'response')}."
    yield from summary.written(result.out, "curate pair OUT --best-of-n2 --reward MODEL -o @pairs.parquet")


JOB = Job(
    "generate",
    GenerateSettings,
    generate,
    _summary,
    check_generate,
    layout=lambda rows, _: prompts_layout(rows),
    shape=_shape,
    volume=_volume,
    models=lambda settings, _: drawn_with(settings),
    costs=lambda settings, volume, _: drawing_costs(settings, volume),
)
