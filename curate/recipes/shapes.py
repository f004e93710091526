"""What is known of the tables between steps before any step runs, so that a wrong column is refused early.

Only certain errors are refused: if a table's columns are not all known, the step is trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from curate.errors import CurateError, SettingsError, did_you_mean
from curate.exporters.registry import find_exporter
from curate.jobs.pair import measuring
from curate.jobs.score import check_candidates
from curate.jobs.weigh import check_weigh
from curate.metrics.registry import all_metrics, columns_read, missing_column
from curate.pairs.search import BEST_OF_N2, DEFAULT_METRIC
from curate.plan.rewards import parse_reward
from curate.plan.scoring import computable, fields_after, records
from curate.readers import Layout, Row, first_rows, open_source
from curate.readers.files.table import column_names
from curate.schema import (
    ALP_ALONE,
    CHOSEN_INDEX,
    EDIT_DISTANCE,
    EDIT_DISTANCE_NORM,
    EMBEDDING_DISTANCE,
    FLAGS,
    PAIR_ID,
    POLICY_LOGPS,
    REF_LOGPS,
    REJECTED_INDEX,
    RESPONSE_FIELDS,
    REWARD,
    SAMPLED,
    TOKENS,
    ResponseField,
    named_reward,
)
from curate.scorers.judging import OPTIONS as JUDGE_OPTIONS
from curate.selection.presets import with_preset
from curate.settings import (
    ExportSettings,
    GenerateSettings,
    MeasureSettings,
    PairSettings,
    ScoreSettings,
    SelectSettings,
    Settings,
    WeighSettings,
)
from curate.weighing.registry import columns_needed

Kind = Literal["pairs", "candidates"]
LayoutOf = Callable[[Sequence[Row]], Layout]
TEXTS = frozenset({"prompt", "chosen", "rejected"})
LISTS = frozenset({"prompt", "responses", "finish_reasons"})


@dataclass(frozen=True)
class Shape:
    """What is known of a table.

    Attributes:
        kind: what a row is; None if not known.
        fields: names of the response fields that were measured.
        columns: columns that it has, or may have.
        known: whether there are no other columns.
        more: if `columns` come from the first rows only: the columns of all rows.
    """

    kind: Kind | None = None
    fields: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    known: bool = False
    more: Callable[[], frozenset[str]] | None = None

    def lacks(self, column: str) -> bool:
        """Whether the table is known to lack this column."""
        if not self.known or column in self.columns:
            return False
        return self.more is None or column not in self.more()

    def require(self, wanted: Sequence[str], owner: str) -> None:
        """Refuse a metric or method that reads a column known to be missing.

        Raises:
            SettingsError: names the column and how to measure it.
        """
        for column in wanted:
            if self.lacks(column):
                raise missing_column(owner, column, sorted(self.columns))


def look(data: Sequence[str], layout_of: LayoutOf) -> Shape:
    """The shape of data from outside, from its first rows.

    Args:
        data: paths, globs or hub names.
        layout_of: maps the first rows to their layout.

    Raises:
        InputError: it cannot be read, or no layout fits.
    """
    rows = first_rows(open_source(data))
    layout = layout_of(rows)
    fields = {name for record in records(layout, rows) for name in record.measured}
    columns = frozenset(str(name) for row in rows for name in row)
    known = {field.name for field in RESPONSE_FIELDS}
    measured = frozenset(name for name in fields if name in known or name.startswith(f"{REWARD.name}_"))
    return Shape(layout.kind, measured, columns, True, lambda: column_names(data))


def joined(shapes: Sequence[Shape]) -> Shape:
    """The shape of tables read one after another: the columns of all of them."""
    if len(shapes) == 1:
        return shapes[0]
    fields = frozenset[str]().union(*(shape.fields for shape in shapes))
    columns = frozenset[str]().union(*(shape.columns for shape in shapes))
    return Shape(shapes[0].kind, fields, columns, False)


def after_generate(_: GenerateSettings, before: Shape) -> Shape:
    """The shape of what `curate generate` writes."""
    drawn = {column.name for column in SAMPLED}
    return replace(
        before, kind="candidates", fields=frozenset({TOKENS.name}), columns=before.columns | {"prompt"} | drawn
    )


def after_score(settings: ScoreSettings, before: Shape) -> Shape:
    """The shape of what `curate score` writes."""
    kind = settings.rows_as or before.kind
    fields = measured_fields(settings, before, pairs=kind != "candidates")
    if kind == "candidates":
        check_candidates(settings)
        lists = {_field(name).candidates for name in fields}
        return replace(before, kind=kind, fields=fields, columns=before.columns | LISTS | lists)
    columns = _pair_columns(settings, fields)
    shape = replace(before, kind=kind, fields=fields, columns=before.columns | TEXTS | columns)
    for name in (one for one in settings.options if one != JUDGE_OPTIONS):
        shape.require(columns_read(name, settings.options, columns), name)
    return replace(shape, columns=shape.columns | set(computable(columns, settings)))


def after_pair(settings: PairSettings, before: Shape) -> Shape:
    """The shape of what `curate pair` writes."""
    settings = measuring(settings)
    fields = measured_fields(settings, before, pairs=True)
    columns = _pair_columns(settings, fields) | {CHOSEN_INDEX.name, REJECTED_INDEX.name}
    made = replace(before, kind="pairs", fields=fields, columns=columns)
    for name in (one for one in settings.options if one != JUDGE_OPTIONS):
        made.require(columns_read(name, settings.options, columns), name)
    if settings.strategy == BEST_OF_N2:
        by = settings.by or DEFAULT_METRIC
        made.require(columns_read(by, settings.options, columns), by)
    elif made.known and REWARD.chosen not in columns:
        raise missing_column(settings.strategy, REWARD.chosen, sorted(columns))
    metrics = set(computable(columns, settings))
    return replace(made, columns=before.columns | TEXTS | columns | metrics)


def after_select(settings: SelectSettings, before: Shape) -> Shape:
    """The shape of what `curate select` writes."""
    settings = with_preset(settings)
    for setting, name in (("per", settings.per), *(("where", one) for one in _read_by(settings.where))):
        if name is not None and before.lacks(name):
            raise SettingsError(
                f"There is no column {name}.", setting=setting, value=name, hint=did_you_mean(name, before.columns)
            )
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


def _read_by(where: str | None) -> Sequence[str]:
    if where is None:
        return ()
    from curate.selection.where import condition

    return condition(where).columns


def after_weigh(settings: WeighSettings, before: Shape) -> Shape:
    """The shape of what `curate weigh` writes; its columns are not listed, as the method names them when it runs."""
    method, parameters = check_weigh(settings)
    if before.known:
        try:
            columns_needed(method, parameters, sorted(before.columns))
        except CurateError:
            if before.more is None:
                raise
            columns_needed(method, parameters, sorted(before.columns | before.more()))
    return replace(before, known=False)


def after_export(settings: ExportSettings, before: Shape) -> Shape:
    """The shape of what `curate export` writes: for the trainer, not for a later step."""
    if before.kind == "candidates":
        raise SettingsError(
            "These rows are candidates: a trainer reads pairs.",
            setting="to",
            value=find_exporter(settings.to).name,
            hint="Make pairs with `curate pair` first.",
        )
    return Shape()


def measured_fields(settings: MeasureSettings, before: Shape, *, pairs: bool) -> frozenset[str]:
    """The response fields of a table after measuring."""
    sources = [parse_reward(spec) for spec in settings.reward]
    rewards = [(one.name, one.named) for one in sources]
    if not sources and REWARD.name in before.fields:
        rewards = [("", False)]
    models = {POLICY_LOGPS.name: settings.policy, REF_LOGPS.name: settings.reference}
    measured = {name for name, model in models.items() if model}
    cuts = bool(measured) or any(one.kind == "model" for one in sources)
    measured |= {ALP_ALONE.name} if settings.unconditional else set()
    found = fields_after(before.fields, rewards=rewards, models=measured, cuts=cuts, pairs=pairs)
    return frozenset(field.name for field in found)


def _pair_columns(settings: Settings, fields: frozenset[str]) -> frozenset[str]:
    alone = {PAIR_ID.name, FLAGS.name, EDIT_DISTANCE.name, EDIT_DISTANCE_NORM.name}
    alone |= {EMBEDDING_DISTANCE.name} if getattr(settings, "embedder", None) else set()
    return frozenset(alone | {side for name in fields for side in (_field(name).chosen, _field(name).rejected)})


def _field(name: str) -> ResponseField:
    known = {field.name: field for field in RESPONSE_FIELDS}
    return known.get(name) or named_reward(name.removeprefix(f"{REWARD.name}_"))
