"""What `curate select` ranks by: a column of the table, or a metric computed from its measurements.

Values are float64 [rows], NaN where missing. Columns are read a few thousand rows at a time; only metrics over the
population (a z-score, a quantile) load the columns they read whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.errors import SettingsError, did_you_mean
from curate.metrics.catalogue import in_force
from curate.metrics.lacking import lacking_note, rows_lacking
from curate.metrics.registry import (
    all_metrics,
    as_numbers,
    columns_read,
    compute,
    depends_on_population,
    find,
    missing_column,
    parameters_used,
    taken_if_present,
)
from curate.readers.files.table import Table
from curate.settings import SelectSettings
from curate.writers.history import manifests_of, metrics_made, recorded

Used = dict[str, dict[str, Any]]
"""The parameters used, by metric; empty if nothing was computed."""


def high_first(settings: SelectSettings) -> bool:
    """Whether larger values are better: as the user says, or by default as the metric's source says."""
    if settings.order is not None:
        return settings.order == "highest"
    return settings.by not in all_metrics() or find(str(settings.by)).prefer == "high"


@dataclass(frozen=True)
class Values:
    """The values that rows are ranked by.

    Attributes:
        values: None without `--by`.
        used: the metrics' parameters, if this run computed the values.
        notes: warnings for the user.
    """

    values: np.ndarray | None
    used: Used = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def ranking_values(table: Table, settings: SelectSettings) -> Values:
    """Return the values to rank by.

    Raises:
        SettingsError: there is no such column or metric, or a column that the metric reads is missing.
    """
    by, names = settings.by, table.schema.names
    _check_read(settings, names)
    if by is None:
        return Values(None)
    if by in names and not settings.options and _is_current(table, by):
        kind = table.schema.field(by).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise SettingsError(
                f"The column {by} holds no numbers.", setting="by", value=by, hint="Rank by a metric or a number."
            )
        _check_direction(table, settings, by)
        return Values(_filled(table, (as_numbers(frame[by]) for frame in _frames(table, [by]))))
    if by not in all_metrics():
        raise SettingsError(
            f"There is neither a metric nor a column called {by}.",
            setting="by",
            value=by,
            hint=did_you_mean(by, [*all_metrics(), *names]),
        )
    present = frozenset(names)
    wanted = list(columns_read(by, settings.options, present))
    for column in wanted:
        if column not in names:
            raise missing_column(by, column, names)
    return _computed(table, settings, by, wanted)


def _check_direction(table: Table, settings: SelectSettings, by: str) -> None:
    """Refuse to guess the better end of a metric whose file made the column but is not given now."""
    ranks = settings.top or settings.bottom or settings.one_per_prompt
    if ranks and settings.order is None and by not in all_metrics() and by in metrics_made(manifests_of(table)):
        raise SettingsError(
            f"{by} was computed by a metric that is not here, so its better end is not known.",
            setting="by",
            value=by,
            hint="Give its file with --metrics, or add --order=highest or --order=lowest.",
        )


def _is_current(table: Table, by: str) -> bool:
    """Whether a column may be taken as it is: not where a file given now has another form of its metric."""
    given = in_force().given.get(by)
    held = given and recorded(manifests_of(table), "settings", "metrics", given.name)
    return given is None or given.content in str(held).split()


def _computed(table: Table, settings: SelectSettings, by: str, wanted: list[str]) -> Values:
    options, present = settings.options, frozenset(table.schema.names)
    whole = depends_on_population(by, options, present)
    frames = [table.numbers(wanted)] if whole else _frames(table, wanted)
    optional, lacking = taken_if_present(by, options, present), 0

    def pieces() -> Iterator[pl.Series]:
        nonlocal lacking
        for frame in frames:
            lacking += rows_lacking(frame, optional)
            yield compute(by, frame, options)[0]

    values = _filled(table, pieces())
    notes = [lacking_note(by, optional, lacking, f"{table.rows:,} rows")] if lacking else []
    return Values(values, parameters_used(by, options, present), notes)


def _check_read(settings: SelectSettings, names: list[str]) -> None:
    """Refuse parameters of metrics that `--by` does not read: they would have no effect."""
    by = settings.by
    read = set(parameters_used(by, settings.options, frozenset(names))) if by in all_metrics() and by else set()
    for name in settings.options:
        if name not in read:
            ranking = f"Ranking by {by}" if by else "A selection without --by"
            raise SettingsError(
                f"{ranking} does not use {name}.", setting="options", value=f"{name}.*", hint="Leave it out."
            )


def _frames(table: Table, columns: list[str]) -> Iterator[pl.DataFrame]:
    for batch in table.batches(columns):
        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame)
        yield frame


def _filled(table: Table, pieces: Iterator[pl.Series]) -> np.ndarray:
    values, first = np.full(table.rows, np.nan), 0
    for piece in pieces:
        values[first : first + piece.len()] = piece.to_numpy()
        first += piece.len()
    return values
