"""Which metrics there are, and how a table of measurements becomes a table of metrics."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import polars as pl

from curate.errors import SettingsError, did_you_mean
from curate.metrics.catalogue import in_force
from curate.metrics.declaration import EXTRA_COLUMNS, Measured, Metric, Parameters, metric
from curate.metrics.outside import CALLED_WITH, line_of
from curate.registry import positional_names
from curate.schema import EDIT_DISTANCE, EDIT_DISTANCE_NORM

__all__ = [
    "Measured",
    "Metric",
    "Options",
    "Parameters",
    "all_metrics",
    "as_numbers",
    "bounded_by_edit",
    "check_options",
    "columns_read",
    "compute",
    "depends_on_population",
    "find",
    "metric",
    "missing_column",
    "parameters_used",
    "reads_edit",
    "taken_if_present",
]

Options = dict[str, dict[str, Any]]
"""The parameters that the user set, by metric name."""

EDIT_COLUMNS = frozenset({EDIT_DISTANCE.name, EDIT_DISTANCE_NORM.name})


def all_metrics() -> dict[str, Metric]:
    """Every metric by name: this package's, those of installed packages, and those of the running command's files."""
    return in_force().metrics


def find(name: str) -> Metric:
    """The metric of this name.

    Raises:
        SettingsError: there is no such metric.
    """
    if name not in all_metrics():
        raise SettingsError(
            f"There is no metric {name}.",
            f"metric {name}",
            did_you_mean(name, all_metrics()) + " See `curate metrics`.",
        )
    return all_metrics()[name]


def check_options(options: Options) -> None:
    """Check every `--set METRIC.parameter=value` without data.

    Raises:
        SettingsError: unknown metric or parameter, or a value out of range.
    """
    for name, given in options.items():
        chosen = find(name)
        chosen.resolve(chosen.parameters(given), frozenset())


def parameters_used(name: str, options: Options, present: frozenset[str]) -> dict[str, dict[str, Any]]:
    """The parameters, with every `auto` decided, of the metric and of all metrics it reads: for the manifest."""
    chosen = find(name)
    parameters = chosen.resolve(chosen.parameters(options.get(name, {})), present)
    used = {name: chosen.shown(parameters)}
    for column in (*chosen.columns, *chosen.needs(parameters)):
        if column in all_metrics():
            used |= parameters_used(column, options, present)
    return used


def columns_read(name: str, options: Options, present: frozenset[str]) -> tuple[str, ...]:
    """The measurement columns that a metric is computed from, with metrics it reads resolved into theirs."""
    chosen = find(name)
    parameters = chosen.resolve(chosen.parameters(options.get(name, {})), present)
    leaves: dict[str, None] = {}
    for column in (*chosen.columns, *chosen.needs(parameters)):
        if column in all_metrics():
            leaves |= dict.fromkeys(columns_read(column, options, present))
        else:
            leaves[column] = None
    return tuple(leaves)


def taken_if_present(name: str, options: Options, present: frozenset[str]) -> tuple[str, ...]:
    """The columns that a metric reads only because the table has them: those added by `auto`."""
    always = columns_read(name, options, frozenset())
    return tuple(column for column in columns_read(name, options, present) if column not in always)


def depends_on_population(name: str, options: Options, present: frozenset[str]) -> bool:
    """Whether the metric, or one that it reads, needs the whole table at once."""
    chosen = find(name)
    parameters = chosen.resolve(chosen.parameters(options.get(name, {})), present)
    reads = (*chosen.columns, *chosen.needs(parameters))
    return chosen.population or any(
        depends_on_population(column, options, present) for column in reads if column in all_metrics()
    )


def reads_edit(name: str, options: Options, present: frozenset[str]) -> bool:
    """Whether the metric, or one that it reads, is computed from the pair's edit distance."""
    return not EDIT_COLUMNS.isdisjoint(columns_read(name, options, present))


def bounded_by_edit(name: str, options: Options, present: frozenset[str]) -> bool:
    """Whether a pair's value is between its values at a smaller and at a larger edit distance.

    True if the metric, and every metric through which it reads the edit distance, is monotone in it; and if none reads
    it. Never true if a value depends on the whole table.
    """
    if depends_on_population(name, options, present):
        return False
    if not reads_edit(name, options, present):
        return True
    chosen = find(name)
    parameters = chosen.resolve(chosen.parameters(options.get(name, {})), present)
    reads = (*chosen.columns, *chosen.needs(parameters))
    return chosen.monotone_in_edit and all(
        bounded_by_edit(column, options, present) for column in reads if column in all_metrics()
    )


def as_numbers(column: pl.Series) -> pl.Series:
    """The column as Float64, with everything but finite numbers as null."""
    numbers = column if column.dtype == pl.Float64 else column.cast(pl.Float64, strict=False)
    # NumPy looks at a short column in a tenth of the time, and needs no copy of one without nulls.
    if np.isfinite(numbers.to_numpy()).all() if not numbers.null_count() else numbers.is_finite().all():
        return numbers
    return pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series().alias(column.name)


def compute(
    name: str, frame: pl.DataFrame, options: Options, known: dict[str, pl.Series] | None = None
) -> tuple[pl.Series, dict[str, Any]]:
    """One metric over a whole table.

    Args:
        name: the metric.
        frame: the measurements; every column that the metric reads.
        options: the user's parameters for every metric.
        known: metrics of this table computed before; those computed now are added.

    Returns:
        The values (Float64, null where an input is null), and the parameters used, with every `auto` decided.

    Raises:
        SettingsError: a bad parameter, or a column that the table lacks.
    """
    chosen = find(name)
    known = {} if known is None else known
    parameters = chosen.resolve(chosen.parameters(options.get(name, {})), frozenset(frame.columns))

    def column(wanted: str) -> pl.Series:
        if wanted in all_metrics():
            return known[wanted] if wanted in known else compute(wanted, frame, options, known)[0]
        if wanted not in frame.columns:
            raise missing_column(name, wanted, frame.columns)
        return as_numbers(frame[wanted])

    if name not in known:
        known[name] = _values(chosen, parameters, frame.height, column).alias(name)
    return known[name], chosen.shown(parameters)


def _values(chosen: Metric, parameters: Parameters, rows: int, column: Callable[[str], pl.Series]) -> pl.Series:
    arguments: list[Any] = [column(wanted) for wanted in chosen.columns]
    extra = {wanted: column(wanted) for wanted in chosen.needs(parameters)}
    # A metric of null is null, so one that reads an all-null column is not called.
    if any(one.null_count() == rows for one in (*arguments, *extra.values())):
        return pl.repeat(None, rows, dtype=pl.Float64, eager=True)
    if EXTRA_COLUMNS in positional_names(chosen.function):
        arguments.append(extra)
    found = chosen.function(*arguments, **parameters)
    if wrong := _wrong(found, rows):
        raise SettingsError(f"The metric {chosen.name} returned {wrong}.", line_of(chosen), CALLED_WITH)
    return as_numbers(found)


def _wrong(found: Any, rows: int) -> str:
    """Why this is not one number per row; empty if it is."""
    if not isinstance(found, pl.Series):
        return f"a {type(found).__name__}, not a Polars Series"
    if found.len() != rows:
        return f"{found.len():,} values for {rows:,} rows"
    if not (found.dtype.is_numeric() or found.dtype in (pl.Boolean, pl.Null)):
        return f"values of the type {found.dtype}, not numbers"
    return ""


def missing_column(name: str, wanted: str, present: Iterable[str]) -> SettingsError:
    """The error for a metric whose measurement is not in the table: names the nearest column, and how to measure it."""
    near = _nearest(wanted, present)
    where = f"column {wanted}" + (f"; the nearest is {near}" if near else "")
    hint = HOW_TO_MEASURE.get(wanted, "Measure it with `curate score`.")
    if near and wanted in REWARD_COLUMNS:
        hint = f"Run `curate score` on the data first: it reads {near}."
    return SettingsError(f"{name} needs the column {wanted}, which was not measured.", where, hint)


def _nearest(wanted: str, present: Iterable[str]) -> str | None:
    """The column that has the same of the same side under another name, or else one spelled almost like it."""
    if wanted not in REWARD_COLUMNS:
        return next(iter(difflib.get_close_matches(wanted, sorted(present), n=1, cutoff=0.8)), None)
    side = wanted.partition("_")[0]
    # `chosen_reward_NAME` is one source of a combined reward that is missing: not what was meant.
    words = {one: set(one.lower().split("_")) for one in sorted(present) if not one.startswith(wanted)}
    return next((one for one, said in words.items() if side in said and said & SCORES), None)


REWARD_COLUMNS = ("chosen_reward", "rejected_reward")
SCORES = {"score", "rating", "reward", "grade"}
"""Words by which data sets name a column of rewards."""
HOW_TO_MEASURE: dict[str, str] = {
    **dict.fromkeys(REWARD_COLUMNS, "Give rewards: `curate score --reward MODEL`, or score columns in the data."),
    **dict.fromkeys(("policy_chosen_logps", "policy_rejected_logps"), "Give a policy: `curate score --policy MODEL`."),
    **dict.fromkeys(("ref_chosen_logps", "ref_rejected_logps"), "Give a reference: `curate score --reference MODEL`."),
    **dict.fromkeys(
        ("policy_chosen_alp_alone", "policy_rejected_alp_alone"),
        "Measure responses alone too: `curate score --policy MODEL --unconditional`.",
    ),
    **dict.fromkeys(
        ("policy_chosen_collision", "policy_rejected_collision"),
        "Measure it in the policy's pass: `curate score --policy MODEL --also wpo`.",
    ),
    **dict.fromkeys(
        ("hidden_product", "hidden_square"),
        "Measure it in the policy's pass: `curate score --policy MODEL --also ches`.",
    ),
    **dict.fromkeys(
        ("chosen_reward_NAME", "rejected_reward_NAME"),
        "Name two reward sources or more: `curate score --reward a=MODEL --reward b=MODEL`.",
    ),
    "embedding_distance": "Give an embedder: --embedder=minilm (or any sentence-transformers model).",
}
