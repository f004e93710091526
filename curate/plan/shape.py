"""What is known of a table before the job that writes it has run, so that a wrong column is refused early.

Only certain errors are refused: if a table's columns are not all known, the step is trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from curate.metrics.registry import missing_column
from curate.plan.also import also_of
from curate.plan.columns import fields_after, measurements
from curate.plan.rewards import parse_reward
from curate.plan.scoring import records
from curate.readers import Layout, Row, first_rows, open_source
from curate.readers.files.table import column_names
from curate.schema import (
    ALP_ALONE,
    COLLISION,
    FLAGS,
    PAIR_ID,
    POLICY_LOGPS,
    REF_LOGPS,
    RESPONSE_FIELDS,
    REWARD,
    ResponseField,
)
from curate.settings import MeasureSettings

RowKind = Literal["pairs", "candidates"]
LayoutOf = Callable[[Sequence[Row]], Layout]
TEXTS = frozenset({"prompt", "chosen", "rejected"})


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

    kind: RowKind | None = None
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


def look(data: Sequence[str], layout_of: LayoutOf, columns: Mapping[str, str] | None = None) -> Shape:
    """The shape of data from outside, from its first rows.

    Args:
        data: paths, globs or hub names.
        layout_of: maps the first rows to their layout.
        columns: maps names that layouts read to the data's own.

    Raises:
        InputError: it cannot be read, or no layout fits.
    """
    rows = first_rows(open_source(data, columns))
    layout = layout_of(rows)
    fields = {name for record in records(layout, rows) for name in record.measured}
    names = frozenset(str(name) for row in rows for name in row)
    known = {field.name for field in RESPONSE_FIELDS}
    measured = frozenset(name for name in fields if name in known or name.startswith(f"{REWARD.name}_"))
    return Shape(layout.kind, measured, names, True, lambda: column_names(data, columns))


def joined(shapes: Sequence[Shape]) -> Shape:
    """The shape of tables read one after another: the columns of all of them."""
    if len(shapes) == 1:
        return shapes[0]
    fields = frozenset[str]().union(*(shape.fields for shape in shapes))
    columns = frozenset[str]().union(*(shape.columns for shape in shapes))
    return Shape(shapes[0].kind, fields, columns, False)


def measured_fields(settings: MeasureSettings, before: Shape, *, pairs: bool) -> list[ResponseField]:
    """The response fields of a table after measuring."""
    sources = [parse_reward(spec) for spec in settings.reward]
    rewards = [(one.name, one.named) for one in sources]
    if not sources and REWARD.name in before.fields:
        rewards = [("", False)]
    models = {POLICY_LOGPS.name: settings.policy, REF_LOGPS.name: settings.reference}
    measured = {name for name, model in models.items() if model}
    cuts = bool(measured) or any(one.kind == "model" for one in sources)
    measured |= {ALP_ALONE.name} if settings.unconditional else set()
    measured |= {COLLISION.name} if "wpo" in also_of(settings) else set()
    return fields_after(before.fields, rewards=rewards, models=measured, cuts=cuts, pairs=pairs)


def pair_columns(settings: MeasureSettings, fields: Sequence[ResponseField]) -> frozenset[str]:
    """The columns that measuring these fields of pairs writes, without metrics."""
    hidden = "ches" in also_of(settings)
    return measurements(fields, embedded=settings.embedder is not None, hidden=hidden) | {PAIR_ID.name, FLAGS.name}
