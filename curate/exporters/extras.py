"""The columns in addition to a trainer's own: further numbers that it reads, and what curate measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from curate.errors import RowError
from curate.exporters.registry import Exporter
from curate.metrics.registry import all_metrics
from curate.readers import Layout, Row, merge_schemas
from curate.readers.files.table import Table
from curate.readers.parts.scores import number
from curate.schema import OF_WEIGHING, REF_LOGPS, REWARD, Record, named_reward, table_columns
from curate.weighing.registry import all_methods
from curate.writers.history import manifests_of, metrics_made

MARGIN = "margin"
PREFIX = "curate_"
SURVEY_ROWS = 4096


@dataclass(frozen=True)
class Extras:
    """The columns in addition to the trainer's own.

    Attributes:
        numbers: columns copied under their own names; every row must have them.
        derive_margin: whether to write the difference of the rewards as the margin.
        scores: columns kept under prefixed names, with the types they get.
    """

    numbers: tuple[str, ...]
    derive_margin: bool
    scores: Mapping[str, pa.DataType]

    @property
    def fields(self) -> list[pa.Field]:
        """Their Arrow fields, in output order."""
        numbers = [*self.numbers, *([MARGIN] if self.derive_margin else [])]
        kept = [pa.field(PREFIX + name, kind) for name, kind in self.scores.items()]
        return [*(pa.field(name, pa.float64()) for name in numbers), *kept]

    @property
    def margin_from(self) -> str | None:
        """Where the margins come from."""
        return "difference of the rewards" if self.derive_margin else "column" if MARGIN in self.numbers else None

    def of(self, row: Row, record: Record) -> dict[str, Any]:
        """This row's values.

        Raises:
            RowError: a number that a trainer would read is missing.
        """
        found: dict[str, Any] = {name: number(row.get(name)) for name in self.numbers}
        if self.derive_margin:
            found[MARGIN] = reward_margin(record)
        for name, value in found.items():
            if value is None:
                raise RowError(f"there is no {name}, which the trainer reads of every row")
        return found | {PREFIX + name: _fitted(row.get(name), kind) for name, kind in self.scores.items()}


def reward_margin(record: Record) -> float | None:
    """Reward of chosen minus that of rejected; None if one is missing."""
    rewards = record.measured.get(REWARD.name)
    if rewards is None or record.pair is None:
        return None
    chosen, rejected = (rewards[place] for place in record.pair)
    return None if chosen is None or rejected is None else number(chosen - rejected)


def _fitted(value: object, kind: pa.DataType) -> Any:
    if pa.types.is_floating(kind):
        return number(value)
    if pa.types.is_integer(kind):
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    return value if isinstance(value, bool if pa.types.is_boolean(kind) else str) else None


def has_rewards(layout: Layout, sample: Sequence[Row]) -> bool:
    """Whether some row of the sample has both rewards of its pair."""
    for row in sample:
        try:
            if reward_margin(layout.parse(row)) is not None:
                return True
        except RowError:
            continue
    return False


def extras_of(table: Table, exporter: Exporter, rewarded: bool, keep_scores: bool) -> Extras:
    """The extra columns; `rewarded` says whether the rows have rewards to derive a margin from."""
    if not exporter.numbers and not keep_scores:
        return Extras((), False, {})
    schema, found = _survey(table, exporter.numbers)
    numbers = [name for name in exporter.numbers if name in found]
    reference = [name for name in (REF_LOGPS.chosen, REF_LOGPS.rejected) if name in numbers]
    if len(reference) == 1:  # one side alone is useless, and stops a trainer
        numbers.remove(reference[0])
    derive = exporter.derives_margin and MARGIN not in numbers and rewarded
    scores = _scores(schema, set(numbers), metrics_made(manifests_of(table)))
    if not keep_scores:
        proofs = exporter.proofs if REF_LOGPS.chosen in numbers else ()
        scores = {name: kind for name, kind in scores.items() if name in proofs}
    return Extras(tuple(numbers), derive, scores)


def _survey(table: Table, names: Sequence[str]) -> tuple[pa.Schema, set[str]]:
    """The columns of the whole data, and which of these names contain numbers."""
    if table.parquet:
        present = [name for name in names if name in table.schema.names]
        return table.schema, {name for name in present if _any_number(table.numbers([name])[name])}
    schemas: list[pa.Schema] = []
    found: set[str] = set()
    for chunk in table.source.chunks(SURVEY_ROWS):
        schemas.append(chunk.table.schema)
        for name in set(names).intersection(chunk.table.column_names) - found:
            if any(number(value) is not None for value in chunk.table[name].to_pylist()):
                found.add(name)
    return merge_schemas(schemas), found


def _any_number(values: pl.Series) -> bool:
    if values.dtype.is_numeric():
        return bool(values.cast(pl.Float64).is_finite().any())
    return any(number(value) is not None for value in values)


def _scores(schema: pa.Schema, carried: set[str], metrics: frozenset[str]) -> dict[str, pa.DataType]:
    """The data's columns that curate measured, that are not nested, and that are not copied unchanged.

    Args:
        schema: of the data.
        carried: names of the columns that are copied unchanged.
        metrics: metrics that earlier steps computed, those of the user's own files among them.
    """
    known = {column.name for column in table_columns()} | set(all_metrics()) | metrics | OF_WEIGHING
    starts = (named_reward("").chosen, named_reward("").rejected, *(f"{name}_" for name in all_methods()))
    found: dict[str, pa.DataType] = {}
    for field in schema:
        if field.name in carried or not (field.name in known or field.name.startswith(starts)):
            continue
        if pa.types.is_floating(field.type):
            found[field.name] = pa.float64()
        elif pa.types.is_integer(field.type):
            found[field.name] = pa.int64()
        elif pa.types.is_boolean(field.type) or pa.types.is_string(field.type):
            found[field.name] = field.type
    return found
