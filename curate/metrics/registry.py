"""How a metric declares itself, and how a table of measurements becomes a table of metrics."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel

from curate.errors import SettingsError, did_you_mean
from curate.registry import Applies, applicable, check_parameters, declared, parameter_model, positional_names
from curate.schema import EDIT_DISTANCE, EDIT_DISTANCE_NORM

Measured = Mapping[str, pl.Series]
Parameters = Mapping[str, Any]
Options = dict[str, dict[str, Any]]
"""The parameters that the user set, by metric name."""

EXTRA_COLUMNS = "measured"
EDIT_COLUMNS = frozenset({EDIT_DISTANCE.name, EDIT_DISTANCE_NORM.name})


def _no_needs(_: Parameters) -> tuple[str, ...]:
    return ()


def _as_given(parameters: Parameters, _: frozenset[str]) -> Parameters:
    return parameters


@dataclass(frozen=True)
class Metric:
    """One metric: a pure function of whole columns.

    Attributes:
        name: its column name, and what `--by` and `--set NAME.parameter=` call it.
        unit: unit of its values.
        prefer: whether the larger or the smaller value is the better pair, as its source says.
        population: whether a value depends on the whole table (a z-score, a quantile).
        monotone_in_edit: whether, all else equal, a pair's value only rises or only falls with its edit distance.
        columns: the columns that it always reads: measurements, or other metrics.
        model: pydantic model of its parameters.
        needs: maps parameters to further columns to read.
        resolve: maps (parameters, columns of the table) to parameters with every `auto` decided.
        applies: parameters that count only in some form.
    """

    name: str
    function: Callable[..., pl.Series]
    unit: str
    prefer: Literal["high", "low"]
    population: bool
    monotone_in_edit: bool
    columns: tuple[str, ...]
    model: type[BaseModel]
    needs: Callable[[Parameters], tuple[str, ...]]
    resolve: Callable[[Parameters, frozenset[str]], Parameters]
    applies: Applies

    @property
    def meaning(self) -> str:
        """First paragraph of the docstring, on one line."""
        return inspect.cleandoc(self.function.__doc__ or "").split("\n\n")[0].replace("\n", " ")

    def section(self, title: str) -> str:
        """The docstring's paragraph that starts with `title:`, on one line; empty if there is none."""
        for block in inspect.cleandoc(self.function.__doc__ or "").split("\n\n"):
            if block.startswith(f"{title}:"):
                return " ".join(block.removeprefix(f"{title}:").split())
        return ""

    @property
    def details(self) -> list[str]:
        """The docstring's paragraphs between the first one and the sections, each on one line."""
        blocks = inspect.cleandoc(self.function.__doc__ or "").split("\n\n")[1:]
        return [" ".join(block.split()) for block in blocks if not block.startswith(("Formula:", "Source:"))]

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check the given parameters and fill in defaults.

        Raises:
            SettingsError: an unknown parameter, a value out of range, or a parameter without effect.
        """
        hint = f"`curate metrics {self.name}` shows its parameters."
        return check_parameters(self.name, self.model, given, hint, self.applies)

    def shown(self, parameters: Parameters) -> dict[str, Any]:
        """The parameters that count in this form, as users spell them."""
        return {key.rstrip("_"): value for key, value in applicable(parameters, self.applies).items()}


def metric(
    *,
    unit: str,
    prefer: Literal["high", "low"],
    population: bool = False,
    monotone_in_edit: bool = False,
    needs: Callable[[Parameters], tuple[str, ...]] = _no_needs,
    resolve: Callable[[Parameters, frozenset[str]], Parameters] = _as_given,
    applies: Applies | None = None,
) -> Callable[[Callable[..., pl.Series]], Metric]:
    """Declare a function of columns as a metric.

    Positional arguments are the columns it reads; the positional argument `measured`, when it has one, receives the
    columns named by `needs(parameters)`; keyword-only arguments are its parameters. An argument that ends in an
    underscore (`lambda_`) is spelled without it by users. A parameter that counts only in some form is declared in
    `applies`, and refused in the others.

    A metric that reads the edit distance should say `monotone_in_edit` if that holds (the direction may differ from
    pair to pair): best-of-N^2 then finds the same pairs with few edit distances. Otherwise every distance is measured.
    """

    def declare(function: Callable[..., pl.Series]) -> Metric:
        columns = tuple(name for name in positional_names(function) if name != EXTRA_COLUMNS)
        model = parameter_model(function)
        how = (unit, prefer, population, monotone_in_edit)
        return Metric(function.__name__, function, *how, columns, model, needs, resolve, applies or {})

    return declare


@cache
def all_metrics() -> dict[str, Metric]:
    """Every metric of this room by name; a module dropped into the room is found automatically."""
    return {one.name: one for one in sorted(declared("curate.metrics", Metric), key=lambda one: one.name)}


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
    numbers = column.cast(pl.Float64, strict=False)
    if numbers.is_finite().all():
        return numbers.alias(column.name)
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
    return as_numbers(chosen.function(*arguments, **parameters))


def missing_column(name: str, wanted: str, present: list[str]) -> SettingsError:
    """The error for a metric whose measurement is not in the table."""
    return SettingsError(
        f"{name} needs the column {wanted}, which was not measured.",
        f"columns present: {', '.join(present) or 'none'}",
        HOW_TO_MEASURE.get(wanted, "Measure it with `curate score`."),
    )


HOW_TO_MEASURE: dict[str, str] = {
    **dict.fromkeys(
        ("chosen_reward", "rejected_reward"),
        "Give rewards: `curate score --reward MODEL`, or score columns in the data.",
    ),
    **dict.fromkeys(("policy_chosen_logps", "policy_rejected_logps"), "Give a policy: `curate score --policy MODEL`."),
    **dict.fromkeys(("ref_chosen_logps", "ref_rejected_logps"), "Give a reference: `curate score --reference MODEL`."),
    "policy_chosen_alp_alone": "Measure responses alone too: `curate score --policy MODEL --unconditional`.",
    "embedding_distance": "Give an embedder: --embedder=minilm (or any sentence-transformers model).",
}
