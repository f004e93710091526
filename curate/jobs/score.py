"""Measure pairs or candidates, and add metrics.

Rerun the same command to resume an interrupted run.

Examples:
    curate score pairs.jsonl -o scored.parquet
    curate score pairs.jsonl -o scored.parquet --reward REWARD_MODEL
    curate score pairs.jsonl -o scored.parquet --policy MODEL --reference MODEL
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curate.engines.cluster import session
from curate.errors import SettingsError
from curate.hygiene.flags import wanted_flags
from curate.jobs import summary
from curate.jobs.contract import Job
from curate.jobs.finished import details_of, finished_manifest
from curate.jobs.results import Written
from curate.jobs.space import SCORE, check_disk
from curate.lines import Summary
from curate.metrics.advice import top_tenth_note
from curate.metrics.catalogue import with_its_metrics
from curate.metrics.lacking import lacking_notes
from curate.metrics.registry import columns_read
from curate.pairs.table import (
    ARROW_TYPES,
    MetricSummary,
    add_metrics,
    flag_counts,
    flag_lists,
    pair_frame,
    response_fields,
    summarise,
)
from curate.plan.columns import computable
from curate.plan.cost import measuring_costs
from curate.plan.only_pairs import check_candidates
from curate.plan.rewards import rewards_reader
from curate.plan.scoring import Plan, check_settings, make_plan, measured_with
from curate.plan.shape import TEXTS, Shape, measured_fields, pair_columns
from curate.plan.token_check import check_tokens
from curate.progress import Reporter
from curate.readers import input_paths
from curate.responses.facts import cache_facts, measuring_facts
from curate.responses.flagging import Flagging, check_flags_of_candidates, plan_flags, staged_flags, with_flags
from curate.responses.measure import Numbers, measure_pairs, measure_responses
from curate.responses.rows import write_rows
from curate.responses.stage import stage
from curate.responses.table import Staged
from curate.schema import FLAGS, PAIR_ID
from curate.scorers.judging import OPTIONS as JUDGE_OPTIONS
from curate.settings import ScoreSettings
from curate.storage.places import next_to
from curate.storage.placing import claimed
from curate.storage.workspace import Workspace
from curate.version import __version__
from curate.writers.rejects_file import reject_counts, rejects_place, table_places
from curate.writers.rows import Columns, plain


@dataclass(frozen=True, repr=False)
class ScoreResult(Written):
    """What a run of `curate score` did.

    Attributes:
        out: where the table is.
        rejects: where the bad rows are; None when there were none.
        rows: rows written.
        rejected: bad rows by reason.
        kind: `pairs` or `candidates`.
        layout: the layout found.
        metrics: the distribution of every metric.
        parameters: per metric the parameters used.
        flags: how many pairs carry each flag; for candidates, how many prompts.
        judges: per judge how many pairs or responses got each verdict.
        unread: columns of the data that were not read; they are copied to the output.
    """

    out: Path
    rejects: Path | None
    rows: int
    rejected: dict[str, int]
    kind: str
    layout: str
    metrics: list[MetricSummary] = field(default_factory=list)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    judges: dict[str, dict[str, int]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


@with_its_metrics
def score(settings: ScoreSettings, reporter: Reporter) -> ScoreResult:
    """Measure the responses, compute the metrics and write the table.

    Raises:
        CurateError: anything that the user can fix; `out` is then unchanged.
    """
    inputs = [*input_paths(settings.data), *settings.decontaminate]
    with claimed(table_places(settings.out), inputs), session():
        check_disk(settings.out, inputs, SCORE)
        return _score(settings, reporter)


def _score(settings: ScoreSettings, reporter: Reporter) -> ScoreResult:
    check_score(settings)
    plan = make_plan(settings, "pairs")
    if not plan.as_pairs:
        check_candidates(settings)
    flagging = plan_flags(plan, settings, pairs=plan.as_pairs)
    identity = {"command": "score", "version": __version__, **plan.identity(), **flagging.identity()}
    any_day = settings.template_date is None
    if not settings.fresh and (manifest := finished_manifest(settings.out, identity, any_day=any_day)) is not None:
        reporter.note(f"already done: {settings.out} was made by this command. Use --fresh to measure again.")
        return _finished(settings, plan, manifest)
    for note in (*plan.notes, *flagging.notes):
        reporter.note(note)
    check_tokens(plan, reporter)
    reader = rewards_reader(plan.rewards, plan.as_pairs)
    with Workspace(settings.out, identity, fresh=settings.fresh, note=reporter.note) as workspace:
        staged = stage(
            plan.source,
            plan.layout,
            workspace,
            reporter,
            as_pairs=plan.as_pairs,
            strict=settings.strict,
            rewards_of=reader,
            match=settings.match,
        )
        numbers, borders = measure_responses(plan, staged, workspace, reporter)
        rejected = reject_counts(staged.rejects.tables(["reason"]))
        manifest = identity | {"rows": {"written": int(staged.counts.size), "rejected": rejected}}
        manifest |= measuring_facts(plan, borders, workspace)
        if plan.as_pairs:
            details = _finish_pairs(plan, flagging, staged, numbers, workspace, manifest, reporter)
        else:
            details = _finish_candidates(plan, flagging, staged, numbers, workspace, manifest, reporter)
        workspace.finish()
    kind = "pairs" if plan.as_pairs else "candidates"
    details |= {"judges": manifest.get("judges", {}), "unread": plan.reading.unread}
    rejects = rejects_place(settings.out, rejected)
    return ScoreResult(settings.out, rejects, int(staged.counts.size), rejected, kind, plan.layout.name, **details)


def _finished(settings: ScoreSettings, plan: Plan, manifest: dict[str, Any]) -> ScoreResult:
    """The result of the earlier run that made the output."""
    rejects = next_to(settings.out, "rejects")
    place, kind = rejects if rejects.is_file() else None, "pairs" if plan.as_pairs else "candidates"
    rows, rejected = manifest["rows"]["written"], manifest["rows"]["rejected"]
    details = {**details_of(settings.out, manifest), "unread": plan.reading.unread}
    return ScoreResult(settings.out, place, rows, rejected, kind, plan.layout.name, **details)


def check_score(settings: ScoreSettings) -> None:
    """Check what can be checked without data.

    Raises:
        CurateError: as `check_settings`, an unknown flag, or a `--match` that contradicts the other settings.
    """
    check_settings(settings)
    wanted_flags(settings.add_flags)
    _check_match(settings)


def _check_match(settings: ScoreSettings) -> None:
    if not settings.match:
        return
    if not (settings.policy or settings.reference):
        raise SettingsError(
            "No model measures log-probabilities.",
            setting="match",
            value=settings.match,
            hint="Give --policy, --reference or both.",
        )
    if settings.truncation != "keep_start":
        raise SettingsError(
            f"{settings.match.upper()} keeps the start of a longer text.",
            setting="truncation",
            value=settings.truncation,
            hint="Leave it out.",
        )


def _finish_pairs(
    plan: Plan,
    flagging: Flagging,
    staged: Staged,
    numbers: Numbers,
    workspace: Workspace,
    manifest: dict[str, Any],
    reporter: Reporter,
) -> dict[str, Any]:
    pairs = measure_pairs(plan, staged, workspace, reporter)
    slots = staged.first_slots[:-1]
    measured = pair_frame(numbers, slots, slots + 1, pairs)
    frame, used = add_metrics(measured, plan.settings)
    held = staged_flags(staged)
    flags = with_flags(flag_lists(frame, held[FLAGS.name]), flagging.find_staged(staged, frame, reporter))
    if note := top_tenth_note(frame, used):
        reporter.note(note)
    names = [name for name in frame.columns if name not in measured.columns]
    lacking = lacking_notes(measured, names, plan.settings.options)
    for note in chain.from_iterable(lacking.values()):
        reporter.note(note)
    frame = frame.insert_column(0, held[PAIR_ID.name]).with_columns(flags.alias(FLAGS.name))
    counted = Counter(flag_counts(flags))
    manifest |= cache_facts(plan, workspace)
    manifest |= {"metrics": used, "flags": dict(sorted(counted.items())), "notes": manifest["notes"] | lacking}

    def columns(first: int, rows: int) -> Columns:
        piece = frame.slice(first, rows)
        return {name: plain(piece[name].to_arrow()) for name in piece.columns}

    write_rows(staged, columns, manifest, plan.settings.out, reporter)
    return {"metrics": summarise(frame, names), "parameters": used, "flags": dict(counted.most_common())}


def _finish_candidates(
    plan: Plan,
    flagging: Flagging,
    staged: Staged,
    numbers: Numbers,
    workspace: Workspace,
    manifest: dict[str, Any],
    reporter: Reporter,
) -> dict[str, Any]:
    starts, held = staged.first_slots, staged_flags(staged)
    flags = with_flags(held[FLAGS.name], flagging.find_staged(staged, held, reporter))

    def columns(first: int, rows: int) -> Columns:
        slots = slice(starts[first], starts[first + rows])
        offsets = pa.array(starts[first : first + rows + 1] - starts[first], pa.int32())
        return {
            f.candidates: pa.ListArray.from_arrays(offsets, _typed(numbers[f.name][slots], ARROW_TYPES[f.type]))
            for f in response_fields(numbers)
        } | {FLAGS.name: plain(flags.slice(first, rows).to_arrow())}

    counted = Counter(flag_counts(flags))
    manifest |= cache_facts(plan, workspace)
    manifest |= {"flags": dict(sorted(counted.items()))}
    write_rows(staged, columns, manifest, plan.settings.out, reporter)
    return {"flags": dict(counted.most_common())}


def _typed(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True).cast(kind)


def _shape(settings: ScoreSettings, before: Shape) -> Shape:
    """The shape of what `curate score` writes."""
    kind = settings.rows_as or before.kind
    fields = measured_fields(settings, before, pairs=kind != "candidates")
    names = frozenset(field.name for field in fields)
    if kind == "candidates":
        check_candidates(settings)
        check_flags_of_candidates(settings.add_flags)
        lists = {"prompt", "responses", "finish_reasons", FLAGS.name, *(field.candidates for field in fields)}
        return replace(before, kind=kind, fields=names, columns=before.columns | lists)
    columns = pair_columns(settings, fields)
    shape = replace(before, kind=kind, fields=names, columns=before.columns | TEXTS | columns)
    for name in (one for one in settings.options if one != JUDGE_OPTIONS):
        shape.require(columns_read(name, settings.options, columns), name)
    return replace(shape, columns=shape.columns | set(computable(columns, settings)))


def _summary(result: ScoreResult) -> Summary:
    bad = sum(result.rejected.values())
    yield f"{result.rows + bad:,} rows in ({result.layout}), {result.rows:,} {result.kind} scored, {bad:,} unusable."
    yield from summary.read(result)
    if result.metrics:
        yield summary.distributions(result.metrics)
    yield from summary.parameters({name: values for name, values in result.parameters.items() if name == "dcrm"})
    yield from summary.written(result.out, *summary.after_scoring(result.kind, result.metrics))


JOB = Job(
    "score",
    ScoreSettings,
    score,
    _summary,
    check_score,
    measures=True,
    shape=_shape,
    models=lambda settings, kind: measured_with(settings, as_pairs=kind != "candidates"),
    costs=lambda settings, volume, kind: measuring_costs(settings, volume, kind, compares=True),
)
