"""Measure pairs or candidates, and add metrics.

Rerun the same command to resume an interrupted run.

Examples:
    curate score pairs.jsonl -o scored.parquet
    curate score pairs.jsonl -o scored.parquet --reward REWARD_MODEL
    curate score pairs.jsonl -o scored.parquet --policy MODEL --reference MODEL
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from curate.engines.cluster import session
from curate.errors import SettingsError
from curate.hygiene.flags import wanted_flags
from curate.jobs import summary
from curate.jobs.contract import Job
from curate.jobs.finished import details_of, finished_manifest
from curate.jobs.results import Written
from curate.jobs.score_table import finish_candidates, finish_pairs
from curate.jobs.space import SCORE, check_disk
from curate.lines import Summary, counted
from curate.metrics.catalogue import with_its_metrics
from curate.metrics.registry import columns_read
from curate.pairs.table import MetricSummary
from curate.plan.columns import computable
from curate.plan.cost import measuring_costs
from curate.plan.only_pairs import check_candidates
from curate.plan.rewards import rewards_reader
from curate.plan.scoring import Plan, check_settings, make_plan, measured_with
from curate.plan.shape import TEXTS, Shape, measured_fields, pair_columns
from curate.plan.token_check import check_tokens
from curate.progress import Reporter
from curate.readers import input_paths
from curate.responses.facts import measuring_facts
from curate.responses.flagging import Flagging, check_flags_of_candidates, plan_flags
from curate.responses.measure import measure_responses
from curate.responses.sharing.files import COUNTS, READ, SHARD, ShareFile, check_identity, fill, write_share
from curate.responses.sharing.measuring import measure_share
from curate.responses.stage import stage
from curate.responses.table import Staged
from curate.schema import FLAGS
from curate.scorers.judging import OPTIONS as JUDGE_OPTIONS
from curate.settings import ScoreSettings
from curate.share import Share
from curate.storage.places import next_to
from curate.storage.placing import claimed
from curate.storage.workspace import Workspace
from curate.version import __version__
from curate.writers.rejects_file import reject_counts, rejects_place, table_places


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
        measured: of a shard, how many numbers each model measured; nothing else is known of it.
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
    measured: dict[str, int] = field(default_factory=dict)


@with_its_metrics
def score(settings: ScoreSettings, reporter: Reporter) -> ScoreResult:
    """Measure the responses, compute the metrics and write the table; or measure one share of the responses.

    Raises:
        CurateError: anything that the user can fix; `out` is then unchanged.
    """
    return run_score(settings, reporter)


def run_score(settings: ScoreSettings, reporter: Reporter, shares: Sequence[ShareFile] = ()) -> ScoreResult:
    """As `score`, with the metrics in force.

    Args:
        settings: what to measure.
        reporter: shown the progress.
        shares: all shares of this run, where other runs measured them.

    Raises:
        CurateError: anything that the user can fix; `out` is then unchanged.
    """
    inputs = [*input_paths(settings.data), *settings.decontaminate]
    with claimed(table_places(settings.out), [*inputs, *(one.path for one in shares)]), session():
        check_disk(settings.out, inputs, SCORE)
        return _score(settings, reporter, shares)


def _score(settings: ScoreSettings, reporter: Reporter, shares: Sequence[ShareFile]) -> ScoreResult:
    check_score(settings)
    plan = make_plan(settings, "pairs")
    if not plan.as_pairs:
        check_candidates(settings)
    flagging = plan_flags(plan, settings, pairs=plan.as_pairs)
    identity = {"command": "score", "version": __version__, **plan.identity(), **flagging.identity()}
    check_identity(shares, identity)
    identity |= {SHARD: settings.shard} if settings.shard else {}
    any_day = settings.template_date is None
    if not settings.fresh and (manifest := finished_manifest(settings.out, identity, any_day=any_day)) is not None:
        reporter.note(f"already done: {settings.out} was made by this command. Use --fresh to measure again.")
        return _finished(settings, plan, manifest)
    for note in (*plan.notes, *flagging.notes):
        reporter.note(note)
    check_tokens(plan, reporter)
    with Workspace(settings.out, identity, fresh=settings.fresh, note=reporter.note) as workspace:
        staged = _staged(plan, settings, workspace, reporter)
        if settings.shard:
            details = _write_share(plan, settings, staged, identity, workspace, reporter)
        else:
            fill(shares, plan, staged, workspace)
            details = _write_table(plan, flagging, staged, identity, workspace, reporter)
        rejected = reject_counts(staged.rejects.tables(["reason"]))
        workspace.finish()
    kind = "pairs" if plan.as_pairs else "candidates"
    rejects = None if settings.shard else rejects_place(settings.out, rejected)
    details |= {"unread": plan.reading.unread}
    return ScoreResult(settings.out, rejects, int(staged.counts.size), rejected, kind, plan.layout.name, **details)


def _staged(plan: Plan, settings: ScoreSettings, workspace: Workspace, reporter: Reporter) -> Staged:
    return stage(
        plan.source,
        plan.layout,
        workspace,
        reporter,
        as_pairs=plan.as_pairs,
        strict=settings.strict,
        rewards_of=rewards_reader(plan.rewards, plan.as_pairs),
        match=settings.match,
    )


def _write_table(
    plan: Plan, flagging: Flagging, staged: Staged, identity: dict[str, Any], workspace: Workspace, reporter: Reporter
) -> dict[str, Any]:
    numbers, borders = measure_responses(plan, staged, workspace, reporter)
    rejected = reject_counts(staged.rejects.tables(["reason"]))
    manifest = identity | {"rows": {"written": int(staged.counts.size), "rejected": rejected}}
    manifest |= measuring_facts(plan, borders, workspace)
    finish = finish_pairs if plan.as_pairs else finish_candidates
    details = finish(plan, flagging, staged, numbers, workspace, manifest, reporter)
    return details | {"judges": manifest.get("judges", {})}


def _write_share(
    plan: Plan,
    settings: ScoreSettings,
    staged: Staged,
    identity: dict[str, Any],
    workspace: Workspace,
    reporter: Reporter,
) -> dict[str, Any]:
    share = Share.parse(settings.shard or "")
    measure_share(plan, share, staged, workspace, reporter)
    rejected = reject_counts(staged.rejects.tables(["reason"]))
    given = settings.model_dump(mode="json", exclude={"shard", "out", "fresh"}, exclude_defaults=True)
    rows = {"read": int(staged.counts.size), "rejected": rejected}
    return {"measured": write_share(plan, share, identity, given, rows, workspace, settings.out)}


def _finished(settings: ScoreSettings, plan: Plan, manifest: dict[str, Any]) -> ScoreResult:
    """The result of the earlier run that made the output."""
    rejects = next_to(settings.out, "rejects")
    place, kind = rejects if rejects.is_file() else None, "pairs" if plan.as_pairs else "candidates"
    rows, rejected = manifest["rows"]["written"], manifest["rows"]["rejected"]
    details = {"measured": manifest[COUNTS]} if settings.shard else details_of(settings.out, manifest)
    if settings.shard:
        rows, rejected, place = manifest[READ]["read"], manifest[READ]["rejected"], None
    details |= {"unread": plan.reading.unread}
    return ScoreResult(settings.out, place, rows, rejected, kind, plan.layout.name, **details)


def check_score(settings: ScoreSettings) -> None:
    """Check what can be checked without data.

    Raises:
        CurateError: as `check_settings`, an unknown flag, or a `--match` that contradicts the other settings.
    """
    check_settings(settings)
    wanted_flags(settings.add_flags)
    _check_match(settings)
    _check_shard(settings)


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


def _check_shard(settings: ScoreSettings) -> None:
    if not settings.shard:
        return
    if settings.out.suffix != ".parquet":
        raise SettingsError("A shard is one file.", setting="out", value=settings.out, hint="Name a .parquet file.")
    if settings.cache is not None:
        raise SettingsError(
            "Shards are cut alike only if nothing is taken from a cache.",
            setting="cache",
            value=settings.cache,
            hint="Leave out --cache or --shard.",
        )


def _shape(settings: ScoreSettings, before: Shape) -> Shape:
    """The shape of what `curate score` writes."""
    if settings.shard:
        raise SettingsError(
            "A later step cannot read a shard.",
            setting="shard",
            value=settings.shard,
            hint="Run `curate score --shard` for each share by hand, and `curate merge` before the recipe.",
        )
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
    read = counted(result.rows + bad, "row")
    scored = counted(result.rows, "pair") if result.kind == "pairs" else f"{result.rows:,} {result.kind}"
    yield f"{read} in ({result.layout}), {scored} scored, {bad:,} unusable."
    yield from summary.read(result)
    if result.measured:
        yield f"Numbers of this shard: {', '.join(f'{name} {count:,}' for name, count in result.measured.items())}."
        yield from summary.written(result.out, "curate merge SHARD... -o scored.parquet")
        return
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
