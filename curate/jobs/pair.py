"""Build the best pairs from N responses to each prompt.

Reads candidates, or pairs, whose responses to the same prompt are then pooled. Measures with the given models what
the data does not hold yet. Rerun the same command to resume an interrupted run.

Examples:
    curate pair candidates.parquet -o pairs.parquet --best-of-n2
    curate pair scored.parquet -o pairs.parquet --strategy max-min
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from curate.cards.history import comparison
from curate.engines.cluster import session
from curate.errors import SettingsError
from curate.hygiene.flags import wanted_flags
from curate.jobs import summary
from curate.jobs.contract import Job
from curate.jobs.report import page_of_result, page_places
from curate.jobs.results import Written
from curate.jobs.space import PAIR, check_disk
from curate.lines import Grid, Summary, counted
from curate.metrics.advice import narrow_note
from curate.metrics.catalogue import with_its_metrics
from curate.metrics.lacking import lacking_notes
from curate.metrics.registry import all_metrics, columns_read, find
from curate.pairs.distances import Distances
from curate.pairs.droppable import Droppable
from curate.pairs.flagged import marked_pairs, wanted_by
from curate.pairs.rows import pair_tables, write_pairs
from curate.pairs.search import DEFAULT_METRIC, VALUE, Pairing, max_min_share
from curate.pairs.strategies import BEST_OF_N2, check_columns, check_writers, measuring, strategy_parameters
from curate.pairs.table import MetricSummary, add_metrics, mean_of, summarise
from curate.plan.columns import computable
from curate.plan.cost import measuring_costs
from curate.plan.rewards import rewards_reader
from curate.plan.scoring import Plan, check_settings, make_plan, measured_with
from curate.plan.shape import TEXTS, RowKind, Shape, measured_fields, pair_columns
from curate.plan.volume import Volume
from curate.progress import Reporter
from curate.readers import detect, input_paths
from curate.registry import applicable
from curate.responses.carried import carried_schema
from curate.responses.facts import cache_facts, measuring_facts
from curate.responses.flagging import Flagging, plan_flags
from curate.responses.measure import Numbers, measure_responses
from curate.responses.pools import Pools, is_cut, may_be_chosen, merged
from curate.responses.stage import stage
from curate.responses.table import Staged
from curate.schema import CHOSEN_INDEX, REJECTED_INDEX
from curate.scorers.judging import OPTIONS as JUDGE_OPTIONS
from curate.selection.filters import check_flags
from curate.settings import PairSettings
from curate.storage.placing import claimed
from curate.storage.workspace import Workspace
from curate.version import __version__
from curate.writers.rejects_file import reject_counts, rejects_place, table_places

NO_PAIR = "All rewards of each prompt are equal, its responses truncated or flagged, or no margin is large enough."
BEFORE = {"given": "pairs in the data", "max-min": "max-min pairs"}
COMPARED = ("dcrm", "reward_margin", "edit_distance_norm", "embedding_distance", "length_difference")


@dataclass(frozen=True, repr=False)
class PairResult(Written):
    """What a run of `curate pair` did.

    Attributes:
        prompts: prompts read.
        pairs: pairs written.
        without: prompts that gave no pair.
        old: what the new pairs are compared with: `given` (the data's own) or `max-min`.
        flags: how many pairs carry each flag.
        unread: columns of the data that were not read.
        judges: per judge how many pairs or responses got each verdict.
        compared: the mean over the old and over the new pairs, by metric.
        dropped: responses and pairs that were left out because of a flag, by flag.
        report: the page that shows the result; None without one.
        edit_distances: counts for the candidate pairs: distinct `pairs` of texts, how many of them were `measured`, and
            how many comparisons were `broken_off` because they could no longer win.
    """

    out: Path
    rejects: Path | None
    prompts: int
    pairs: int
    without: int
    rejected: dict[str, int]
    old: str
    compared: dict[str, tuple[float | None, float | None]]
    metrics: list[MetricSummary]
    parameters: dict[str, dict[str, Any]]
    edit_distances: dict[str, int]
    judges: dict[str, dict[str, int]] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    report: Path | None = None


@with_its_metrics
def pair(settings: PairSettings, reporter: Reporter) -> PairResult:
    """Measure what is missing, pair each prompt's responses and write the picked pairs.

    Raises:
        CurateError: anything that the user can fix; `out` is then unchanged.
    """
    inputs = input_paths(settings.data)
    with claimed([*table_places(settings.out), *page_places(settings)], inputs), session():
        check_disk(settings.out, inputs, PAIR)
        return replace(_pair(settings, reporter), report=page_of_result(settings, reporter))


def _pair(settings: PairSettings, reporter: Reporter) -> PairResult:
    parameters = check_pair(settings)
    plan = make_plan(measuring(settings), None if settings.rows_as else "candidates")
    _check(plan, settings, parameters)
    flagging = plan_flags(plan, wanted_by(settings))
    for note in (*plan.notes, *flagging.notes):
        reporter.note(note)
    from_pairs = plan.as_pairs or plan.layout.kind == "pairs"
    reader = rewards_reader(plan.rewards, from_pairs)
    strategy = applicable(parameters.model_dump(), parameters.applies) if parameters else None
    identity = {"command": "pair", "version": __version__, **plan.identity(), "strategy_parameters": strategy}
    identity |= flagging.identity()
    with Workspace(settings.out, identity, fresh=settings.fresh, note=reporter.note) as workspace:
        staged = stage(
            plan.source,
            plan.layout,
            workspace,
            reporter,
            as_pairs=plan.as_pairs,
            strict=settings.strict,
            rewards_of=reader,
            plain_columns=True,
        )
        numbers, borders = measure_responses(plan, staged, workspace, reporter)
        pools = Pools(staged, merge_equal=from_pairs)
        if from_pairs:
            numbers, conflicts = merged(numbers, staged.names)
            if conflicts:
                reporter.note(f"{conflicts:,} responses have several different rewards in the data; using their mean.")
        pairing = _pairing(plan, staged, numbers, parameters)
        pairing.collect(pools, workspace.shards("pairs"), reporter)
        manifest = {**identity, **measuring_facts(plan, borders, workspace), **cache_facts(plan, workspace)}
        result = _finish(plan, pairing, pools, flagging, manifest, workspace, reporter)
        workspace.finish()
    return result


def check_pair(settings: PairSettings) -> Any:
    """Return the strategy's parameters (None for best-of-n2), after checking what can be checked without data.

    Raises:
        CurateError: as `check_settings`; an unknown metric to rank by; or parameters that the strategy lacks.
    """
    parameters = strategy_parameters(settings)
    check_settings(measuring(settings))
    check_flags(settings.drop_flags, ())
    wanted_flags(wanted_by(settings).add_flags)
    if parameters is None:
        find(settings.by or DEFAULT_METRIC)
    return parameters


def _check(plan: Plan, settings: PairSettings, parameters: Any) -> None:
    """Refuse, before any model loads, what pairing could not do."""
    check_columns(settings.strategy, plan.pair_columns(), min_margin=bool(settings.min_margin))
    check_writers(parameters, plan.sample)
    if settings.strategy == BEST_OF_N2:
        plan.require(find(settings.by or DEFAULT_METRIC).name)


def _pairing(plan: Plan, staged: Staged, numbers: Numbers, parameters: Any) -> Pairing:
    settings = plan.settings
    assert isinstance(settings, PairSettings)
    choosable = may_be_chosen(staged, numbers, settings.allow_truncated)
    droppable = Droppable(settings.drop_flags, is_cut(staged, numbers))
    distances = Distances(plan.edit, plan.embedding)
    return Pairing(settings, numbers, staged.names, choosable, droppable, distances, parameters)


def _finish(
    plan: Plan,
    pairing: Pairing,
    pools: Pools,
    flagging: Flagging,
    manifest: dict[str, Any],
    workspace: Workspace,
    reporter: Reporter,
) -> PairResult:
    settings, picked = pairing.settings, pairing.picked(workspace.shards("pairs"))
    marked = marked_pairs(picked, pairing.measured(picked.new), pools, flagging, settings.drop_flags, reporter)
    new, old = marked.new, picked.old
    if not new.height:
        raise SettingsError("No prompt yields a pair.", plan.source.name, NO_PAIR)
    (frame, used), (old_frame, _) = (add_metrics(pairing.measured(pairs), settings) for pairs in (new, old))
    if pairing.needs_all:
        frame = frame.with_columns(new[VALUE].alias(pairing.by))
        used[pairing.by] = {**used[pairing.by], "over": "all candidate pairs"}
    if pairing.ranks_by_metric and pairing.by == "dcrm" and not pools.has_given:
        explained = max_min_share(new, old)
        if note := narrow_note(frame["reward_margin"].to_numpy(), float(used["dcrm"]["scale"]), explained):
            reporter.note(note)
    names = [name for name in frame.columns if name in all_metrics()]
    lacking = pairing.lacking() | lacking_notes(frame, names, settings.options)
    for note in chain.from_iterable(lacking.values()):
        reporter.note(note)
    rejected = reject_counts(pools.staged.rejects.tables(["reason"]))
    result = PairResult(
        settings.out,
        rejects_place(settings.out, rejected),
        pools.size,
        new.height,
        pools.size - new["prompt"].n_unique(),
        rejected,
        "given" if pools.has_given else "max-min",
        {name: (mean_of(old_frame, name), mean_of(frame, name)) for name in COMPARED if name in frame.columns},
        summarise(frame, names),
        used,
        picked.edit_distances,
        dropped=marked.dropped,
    )
    manifest |= _facts(result, old.height) | {"notes": manifest["notes"] | lacking}
    # In data other than pairs a row is a prompt, so its plain columns are still true of the new pair.
    carries = not plan.as_pairs and plan.layout.kind != "pairs"
    carried = carried_schema(pools.staged, reporter) if carries else None
    tables = pair_tables(carried, pools, new, frame.with_columns(marked.flags))
    flags = write_pairs(tables, pools, manifest, settings.out)
    return replace(result, flags=flags, judges=manifest.get("judges", {}), unread=plan.reading.unread)


def _facts(result: PairResult, old: int) -> dict[str, Any]:
    """What the manifest holds of a result: its metrics, its rows, and the means over the old and the new pairs."""
    rows = {"prompts": result.prompts, "without_pair": result.without, "written": result.pairs}
    return {
        "metrics": result.parameters,
        "rows": rows | {"rejected": result.rejected},
        **({"dropped": result.dropped} if result.dropped else {}),
        "edit_distances": result.edit_distances,
        "compared": comparison(BEFORE[result.old], "new pairs", (old, result.pairs), result.compared),
    }


def _shape(settings: PairSettings, before: Shape) -> Shape:
    """The shape of what `curate pair` writes."""
    settings = measuring(settings)
    fields = measured_fields(settings, before, pairs=True)
    columns = pair_columns(settings, fields) | {CHOSEN_INDEX.name, REJECTED_INDEX.name}
    made = replace(before, kind="pairs", fields=frozenset(field.name for field in fields), columns=columns)
    by = {settings.by or DEFAULT_METRIC} if settings.strategy == BEST_OF_N2 else set()
    for name in (one for one in (*settings.options, *by) if one != JUDGE_OPTIONS):
        made.require(columns_read(name, settings.options, columns), name)
    if made.known:
        check_columns(settings.strategy, columns, min_margin=bool(settings.min_margin))
    return replace(made, columns=before.columns | TEXTS | columns | set(computable(columns, settings)))


def _volume(settings: PairSettings, before: Volume, _: RowKind | None) -> Volume:
    every = settings.per_prompt is None and settings.strategy == "rs-dpo"
    rows = None if every or before.rows is None else before.rows * (settings.per_prompt or 1)
    return replace(before, rows=rows, at_most=True, pairs=True)


def _summary(result: PairResult) -> Summary:
    yield f"{counted(result.prompts, 'prompt')}, {counted(result.pairs, 'pair')}, {result.without:,} without a pair."
    edits = result.edit_distances
    broken_off = f", {edits['broken_off']:,} more comparisons broken off" if edits["broken_off"] else ""
    yield f"{edits['measured']:,} of {edits['pairs']:,} edit distances measured{broken_off}."
    yield from summary.read(result)
    if result.dropped:
        yield "left out for flags: " + ", ".join(f"{name} {count:,}" for name, count in result.dropped.items())
    yield from summary.parameters(result.parameters)
    yield Grid(("mean", BEFORE[result.old], "new pairs"), [(name, *both) for name, both in result.compared.items()])
    show = ("curate show OUT", f"curate export OUT --to trl -o @{result.out.stem}_trl")
    yield from summary.written(result.out, *show, page=result.report)


JOB = Job(
    "pair",
    PairSettings,
    pair,
    _summary,
    check_pair,
    measures=True,
    layout=lambda rows, kind: detect(rows, kind or "candidates", tools=True),
    shape=_shape,
    volume=_volume,
    models=lambda settings, _: measured_with(settings, as_pairs=settings.rows_as == "pairs"),
    costs=lambda settings, volume, _: measuring_costs(settings, volume, compares=False),
)
