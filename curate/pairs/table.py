"""The table of pairs: measurements as columns, metrics over the whole table, flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.metrics.registry import as_numbers, compute, parameters_used
from curate.plan.columns import computable
from curate.responses.measure import Numbers
from curate.schema import (
    EDIT_DISTANCE,
    EDIT_DISTANCE_NORM,
    EMBEDDING_DISTANCE,
    FLAGS,
    HIDDEN_PRODUCT,
    HIDDEN_SQUARE,
    POLICY_LOGPS,
    REF_LOGPS,
    RESPONSE_FIELDS,
    REWARD,
    TOKENS,
    TRUNCATED,
    ResponseField,
    named_reward,
)
from curate.settings import MetricSettings

OUTLIER_RANGES = 3.0
ARROW_TYPES = {
    "f64": pa.float64(),
    "i32": pa.int32(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "list<string>": pa.list_(pa.string()),
}
POLARS_TYPES: dict[str, Any] = {"f64": pl.Float64, "i32": pl.Int32, "bool": pl.Boolean}


@dataclass(frozen=True)
class MetricSummary:
    """One metric's distribution over the table; nulls are left out and counted."""

    name: str
    mean: float | None
    low: float | None
    median: float | None
    high: float | None
    nulls: int


def response_fields(numbers: Numbers) -> list[ResponseField]:
    """The fields of these numbers, in output order."""
    prefix = f"{REWARD.name}_"
    named = [named_reward(name.removeprefix(prefix)) for name in sorted(numbers) if name.startswith(prefix)]
    known = [field for field in RESPONSE_FIELDS if field.name in numbers]
    return [*(f for f in known if f is REWARD), *named, *(f for f in known if f is not REWARD)]


def as_series(name: str, kind: str, values: np.ndarray) -> pl.Series:
    """A typed column from float64 values; NaN becomes null."""
    return pl.Series(name, values, nan_to_null=True).cast(POLARS_TYPES[kind])


def pair_frame(numbers: Numbers, chosen: np.ndarray, rejected: np.ndarray, pairs: Numbers) -> pl.DataFrame:
    """Measurements of pairs as typed columns.

    Args:
        numbers: the values of all slots, by field.
        chosen: the slot of each pair's chosen response.
        rejected: the slot of each pair's rejected response.
        pairs: values by column of the pair; the texts' own token counts fill `chosen_tokens` and `rejected_tokens`
            where there are no log-probabilities.
    """
    columns = []
    for field in response_fields(numbers):
        columns.append(as_series(field.chosen, field.type, numbers[field.name][chosen]))
        columns.append(as_series(field.rejected, field.type, numbers[field.name][rejected]))
    if not {POLICY_LOGPS.name, REF_LOGPS.name} & set(numbers) and "chosen_text_tokens" in pairs:
        columns.append(as_series(TOKENS.chosen, TOKENS.type, pairs["chosen_text_tokens"]))
        columns.append(as_series(TOKENS.rejected, TOKENS.type, pairs["rejected_text_tokens"]))
    for column in (EDIT_DISTANCE, EDIT_DISTANCE_NORM, EMBEDDING_DISTANCE, HIDDEN_PRODUCT, HIDDEN_SQUARE):
        if column.name in pairs:
            columns.append(as_series(column.name, column.type, pairs[column.name]))
    return pl.DataFrame(columns)


def add_metrics(frame: pl.DataFrame, settings: MetricSettings) -> tuple[pl.DataFrame, dict[str, dict[str, Any]]]:
    """Add every metric that the table's columns allow; also returns the parameters used."""
    present = frozenset(frame.columns)
    used: dict[str, dict[str, Any]] = {}
    known: dict[str, pl.Series] = {}
    names = computable(frame.columns, settings)
    for name in names:
        compute(name, frame, settings.options, known)
        used |= parameters_used(name, settings.options, present)
    return frame.with_columns(known[name] for name in names), used


def flag_lists(frame: pl.DataFrame, text_flags: pl.Series) -> pl.Series:
    """The flags of each pair: first those found in its texts while reading, then those of its numbers."""
    tests: dict[str, pl.Series] = {}
    if REWARD.chosen in frame.columns:
        chosen, rejected = as_numbers(frame[REWARD.chosen]), as_numbers(frame[REWARD.rejected])
        tests["no_reward"] = chosen.is_null() | rejected.is_null()
        tests["tie"] = chosen == rejected
        tests["rm_disagrees"] = chosen < rejected
    if TRUNCATED.chosen in frame.columns:
        tests["truncated"] = frame[TRUNCATED.chosen].fill_null(False) | frame[TRUNCATED.rejected].fill_null(False)
    if TOKENS.chosen in frame.columns:
        tests["length_outlier"] = length_outliers(frame)
    found = [pl.when(holds.fill_null(False)).then(pl.lit(flag)) for flag, holds in tests.items()]
    if not found:
        return text_flags.alias(FLAGS.name)
    numeric = pl.select(flags=pl.concat_list(found).list.drop_nulls()).to_series()
    # a tie may be both said by the data and seen in the rewards
    return pl.select(flags=text_flags.list.concat(numeric).list.unique(maintain_order=True)).to_series()


def flag_counts(flags: pl.Series) -> dict[str, int]:
    """How many of these lists contain each flag."""
    return dict(flags.explode().drop_nulls().value_counts().iter_rows())


def length_outliers(frame: pl.DataFrame) -> pl.Series:
    """Whether a response's log token count is over 3 interquartile ranges outside the table's quartiles (Tukey)."""
    sides = [frame[TOKENS.chosen].cast(pl.Float64), frame[TOKENS.rejected].cast(pl.Float64)]
    logs = [(side + 1).log() for side in sides]
    both = pl.concat([side.alias("log") for side in logs]).drop_nulls()
    if both.is_empty():
        return pl.repeat(False, frame.height, eager=True)
    first, third = float(both.quantile(0.25) or 0), float(both.quantile(0.75) or 0)
    reach = OUTLIER_RANGES * (third - first)
    outside = [((side < first - reach) | (side > third + reach)).fill_null(False) for side in logs]
    return (outside[0] | outside[1]) if reach > 0 else pl.repeat(False, frame.height, eager=True)


def summarise(frame: pl.DataFrame, names: list[str]) -> list[MetricSummary]:
    """The distributions of these columns."""
    return [_summary(frame[name]) for name in names if name in frame.columns]


def _summary(values: pl.Series) -> MetricSummary:
    numbers = as_numbers(values)
    mean = numbers.mean()
    low, median, high = (numbers.quantile(q, "linear") for q in (0.05, 0.5, 0.95))
    average = float(mean) if isinstance(mean, float) else None
    return MetricSummary(values.name, average, low, median, high, numbers.null_count())


def mean_of(frame: pl.DataFrame, name: str) -> float | None:
    """The mean of a column; None if it is not there or has no values."""
    value = frame[name].mean() if name in frame.columns else None
    return float(value) if isinstance(value, int | float) else None
