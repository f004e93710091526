"""Add the columns that margin-aware trainers read: the method's own, and weight, target_margin, margin.

Everything is computed against the frozen policy of the scored table; the
manifest says which rows stood in for a trainer's batch.

Examples:
    curate weigh scored.parquet -o weighed.parquet --method gamma-po
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from curate.errors import CurateError, SettingsError
from curate.jobs import summary
from curate.jobs.contract import Job
from curate.jobs.results import Written
from curate.jobs.space import COPY, check_disk
from curate.lines import Summary, counted
from curate.metrics.registry import as_numbers
from curate.pairs.table import MetricSummary, summarise
from curate.plan.shape import Shape
from curate.progress import Reporter
from curate.readers import input_paths
from curate.readers.files.table import Table, open_table
from curate.schema import REWARD
from curate.settings import Options, Settings, option
from curate.storage.places import Place
from curate.storage.placing import claimed
from curate.version import __version__
from curate.weighing.registry import MARGIN, Method, columns_needed, find_method, weights_of
from curate.writers.history import manifests_of
from curate.writers.parquet import TABLE
from curate.writers.rejects_file import RejectsFile
from curate.writers.rows import copy_rows


class WeighSettings(Settings):
    """The options of `curate weigh`."""

    method: str = option(help="gamma-po, madpo, amapo, bpo, repo or beta-dpo.", metavar="METHOD")
    preset: str | None = option(None, "A paper's settings, by its model.", metavar="NAME")
    options: Options = option(
        {},
        "A parameter of the method; `recipes/README.md` lists them. Repeatable.",
        metavar="METHOD.NAME=VALUE",
        spelled="set",
    )


@dataclass(frozen=True, repr=False)
class WeighResult(Written):
    """What a run of `curate weigh` did.

    Attributes:
        rows: rows written.
        nulls: rows for which the method gives no value.
        columns: the distribution of every numeric column added.
        parameters: the method's parameters, with presets and defaults resolved.
        rejected: unreadable rows of the files, by reason.
        rejects: the file that contains them; None when there are none.
    """

    out: Path
    method: str
    rows: int
    nulls: int
    columns: list[MetricSummary]
    parameters: dict[str, Any]
    rejected: dict[str, int]
    rejects: Path | None


def weigh(settings: WeighSettings, _: Reporter) -> WeighResult:
    """Compute the method's columns over the whole table and write it with them.

    Raises:
        CurateError: anything that the user can fix; `out` is then unchanged.
    """
    chosen, parameters = check_weigh(settings)
    inputs = input_paths(settings.data)
    with claimed((Place(settings.out, TABLE),), inputs):
        check_disk(settings.out, inputs, COPY)
        table = open_table(settings.data, settings.out)
        with RejectsFile(settings.out, strict=settings.strict) as unread:
            unread.add(table.rejects())
            return _weigh(table, settings, chosen, parameters, unread)


def _weigh(
    table: Table, settings: WeighSettings, chosen: Method, parameters: dict[str, Any], unread: RejectsFile
) -> WeighResult:
    names = columns_needed(chosen, parameters, table.schema.names)
    added = weights_of(chosen, _numbers(table, names), parameters)
    nulls = next(iter(added.values())).null_count()
    margin = _reward_margin(table)
    if margin is not None:
        added[MARGIN] = margin
    shown = chosen.shown(parameters)
    manifest = {
        "command": "weigh",
        "version": __version__,
        "method": chosen.name,
        "preset": settings.preset,
        "parameters": shown,
        "population": _population(shown, table.rows - nulls),
        "inputs": table.source.fingerprints(),
        "rows": {"written": table.rows, "null": nulls, "rejected": table.rejected},
        "history": manifests_of(table),
    }
    slices = {name: values.slice for name, values in added.items()}
    rows = copy_rows(table, slices, manifest, settings.out, before=unread.place)
    numeric = [name for name, values in added.items() if values.dtype == pl.Float64]
    columns = summarise(pl.DataFrame(added), numeric)
    return WeighResult(settings.out, chosen.name, rows, nulls, columns, shown, table.rejected, unread.path)


def check_weigh(settings: WeighSettings) -> tuple[Method, dict[str, Any]]:
    """Return the method and its parameters, with presets and defaults resolved.

    Raises:
        SettingsError: an unknown method, preset or parameter, or parameters of another method.
    """
    chosen = find_method(settings.method)
    for name in settings.options:
        if name != chosen.name:
            raise SettingsError(
                f"{name} is not the method of this run.",
                setting="options",
                value=f"{name}.*",
                hint=f"Leave it out, or use --method={name.replace('_', '-')}.",
            )
    return chosen, chosen.parameters(settings.options.get(chosen.name, {}), settings.preset)


def _numbers(table: Table, names: tuple[str, ...]) -> pl.DataFrame:
    """Return these columns.

    Raises:
        SettingsError: one of them is not numeric.
    """
    frame = table.numbers(list(names))
    for name in names:
        if not frame[name].dtype.is_numeric() and frame[name].dtype != pl.Null:
            raise SettingsError(
                f"The column {name} holds no numbers.", f"its type is {frame[name].dtype}", "Score the data first."
            )
    return frame


def _reward_margin(table: Table) -> pl.Series | None:
    if not {REWARD.chosen, REWARD.rejected} <= set(table.schema.names):
        return None
    rewards = _numbers(table, (REWARD.chosen, REWARD.rejected))
    return (as_numbers(rewards[REWARD.chosen]) - as_numbers(rewards[REWARD.rejected])).alias(MARGIN)


def _population(parameters: dict[str, Any], rows: int) -> str:
    """Say which rows played the part of a trainer's live batch."""
    if parameters.get("batch", "all") == "all" or parameters["batch"] >= rows:
        return f"all {rows} measured rows, under the frozen policy"
    return f"consecutive batches of {parameters['batch']} among {rows} measured rows, under the frozen policy"


def _shape(settings: WeighSettings, before: Shape) -> Shape:
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


def _summary(result: WeighResult) -> Summary:
    method = result.method.replace("_", "-")
    yield f"{counted(result.rows, 'row')} weighed by {method}, {result.nulls:,} without a value."
    yield from summary.unreadable(result.rejected, result.rejects)
    yield from summary.parameters({method: result.parameters})
    yield summary.distributions(result.columns)
    yield from summary.written(result.out, f"curate export OUT --to trl -o @{result.out.stem}_trl")


JOB = Job("weigh", WeighSettings, weigh, _summary, check_weigh, shape=_shape)
