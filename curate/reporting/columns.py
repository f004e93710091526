"""The columns of a table that the page shows: numbers, groups, flags, and what ties are broken by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa

from curate.metrics.registry import all_metrics, as_numbers
from curate.readers.files.table import Table
from curate.reporting.statistics import best_first
from curate.reporting.texts import Texts
from curate.schema import FLAGS, PAIR_ID, REWARD, TOKENS, table_columns

MOST_NUMBERS = 32
MOST_GROUPS = 6
MOST_SHOWN = 8
"""Values of a group that are shown by name; the rest are counted together."""
MOST_DISTINCT = 500
LONGEST_VALUE = 80
"""A column whose texts are longer than this on average holds texts, not names of groups."""
USUAL_GROUPS = ("source", "dataset", "chosen_model", "rejected_model", "language", "cluster", "category", "split")
MARGIN = "reward_margin"


@dataclass(frozen=True)
class Numbers:
    """One column of numbers.

    Attributes:
        name: of the column; of a number that is not in the table, what it is.
        values: float64 [rows], NaN where missing.
        metric: whether it is one that `curate` knows, so that its better end is known.
        high_first: whether larger values are better; True for a measurement.
        in_table: whether `curate select --where` can read it.
        unit: of its values.
        meaning: in one line.
        boolean: whether the column holds true and false, shown as 1 and 0.
    """

    name: str
    values: np.ndarray
    metric: bool = False
    high_first: bool = True
    in_table: bool = True
    unit: str = ""
    meaning: str = ""
    boolean: bool = False

    def best_first(self, ties: np.ndarray) -> np.ndarray:
        """The rows that have a value, best first."""
        return best_first(self.values, ties, high_first=self.high_first)


@dataclass(frozen=True)
class Group:
    """A column of few different texts.

    Attributes:
        name: of the column.
        values: those shown by name, most frequent first; None is a missing value.
        codes: the position in `values` of each row's value, `len(values)` for all others: uint8 [rows].
        number: whether the column holds whole numbers.
    """

    name: str
    values: list[str | None]
    codes: np.ndarray
    number: bool = False

    def counts(self, mask: np.ndarray | None = None) -> list[int]:
        """Rows by value, the others last."""
        codes = self.codes if mask is None else self.codes[mask]
        return [int(one) for one in np.bincount(codes, minlength=len(self.values) + 1)]


@dataclass(frozen=True)
class Columns:
    """What the page shows of a table, all rows.

    Attributes:
        numbers: in the order of the page, metrics first.
        groups: columns of few different texts.
        flags: rows by flag, bool [rows]; None where the table has no flags.
        ids: `pair_id`; None where there is none.
        length: the lengths of chosen and rejected, float64 [rows]; None where nothing says.
        length_unit: of those.
        left_out: columns of numbers for which the page has no room.
    """

    rows: int
    numbers: list[Numbers]
    groups: list[Group]
    flags: dict[str, np.ndarray] | None
    ids: pl.Series | None
    length: tuple[np.ndarray, np.ndarray] | None
    length_unit: str
    left_out: list[str]

    def find(self, name: str | None) -> Numbers | None:
        """The column of numbers of this name."""
        return next((one for one in self.numbers if one.name == name), None)

    @cached_property
    def margin(self) -> np.ndarray | None:
        """Reward of chosen minus rejected: float64 [rows]; None without rewards."""
        found = self.find(MARGIN)
        chosen, rejected = self.find(REWARD.chosen), self.find(REWARD.rejected)
        if found is not None:
            return found.values
        return chosen.values - rejected.values if chosen and rejected else None

    @cached_property
    def metrics(self) -> list[Numbers]:
        """Those whose better end is known."""
        return [one for one in self.numbers if one.metric]

    @cached_property
    def ties(self) -> np.ndarray:
        """What breaks ties between equal values, smallest first: the order of `pair_id`, or the place in the data."""
        if self.ids is None:
            return np.arange(self.rows)
        order = pl.DataFrame({"id": self.ids, "row": np.arange(self.rows)}).sort(["id", "row"], nulls_last=True)
        places = np.empty(self.rows, np.int64)
        places[order["row"].to_numpy()] = np.arange(self.rows)
        return places


def read_columns(table: Table, texts: Texts | None, ranked: Numbers | None) -> Columns:
    """Read what the page shows of all rows.

    Args:
        table: the rows.
        texts: facts on their texts.
        ranked: the numbers that rows are ranked by, if they are not a column of the table.
    """
    names = table.schema.names
    wanted = sorted((one for one in names if _is_number(table, one)), key=_importance)
    if ranked is not None:
        wanted = [ranked.name, *(one for one in wanted if one != ranked.name)]
    left_out = wanted[MOST_NUMBERS:]
    read = [one for one in wanted[:MOST_NUMBERS] if ranked is None or one != ranked.name]
    numbers = [_number(table, one) for one in read]
    numbers = [ranked, *numbers] if ranked is not None else numbers
    length, unit = _lengths(numbers, texts)
    if unit == "words" and length is not None:
        sides = zip(("words of chosen", "words of rejected"), length, strict=True)
        numbers += [Numbers(name, values, in_table=False, unit="words") for name, values in sides]
    ids = table.numbers([PAIR_ID.name])[PAIR_ID.name] if PAIR_ID.name in names else None
    return Columns(table.rows, numbers, _groups(table), _flags(table), ids, length, unit, left_out)


def _is_number(table: Table, name: str) -> bool:
    kind = table.schema.field(name).type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _importance(name: str) -> tuple[int, int]:
    """Metrics first, then what `curate` measures, then the input's own columns; each in the order of its list."""
    for place, known in enumerate((list(all_metrics()), [one.name for one in table_columns()])):
        if name in known:
            return place, known.index(name)
    return 2, 0


def _number(table: Table, name: str) -> Numbers:
    values = as_numbers(table.numbers([name])[name]).fill_null(float("nan")).to_numpy()
    return described(Numbers(name, values, boolean=pa.types.is_boolean(table.schema.field(name).type)))


def described(one: Numbers) -> Numbers:
    """The column with its meaning, unit and better end, if `curate` knows it."""
    metric = all_metrics().get(one.name)
    if metric is not None:
        return replace(one, metric=True, high_first=metric.prefer == "high", unit=metric.unit, meaning=metric.meaning)
    column = next((column for column in table_columns() if column.name == one.name), None)
    return one if column is None else replace(one, unit=column.unit, meaning=column.meaning)


def _lengths(numbers: list[Numbers], texts: Texts | None) -> tuple[tuple[np.ndarray, np.ndarray] | None, str]:
    tokens = [one.values for one in numbers if one.name in (TOKENS.chosen, TOKENS.rejected)]
    if len(tokens) == 2 and not all(np.isnan(side).all() for side in tokens):
        return (tokens[0], tokens[1]), "tokens"
    return (texts.words, "words") if texts is not None and texts.words is not None else (None, "")


def _groups(table: Table) -> list[Group]:
    found: list[Group] = []
    names = sorted(table.schema.names, key=lambda n: USUAL_GROUPS.index(n) if n in USUAL_GROUPS else len(USUAL_GROUPS))
    for name in names:
        if len(found) < MOST_GROUPS and _may_group(table, name):
            group = _group(name, table.numbers([name])[name])
            found += [group] if group is not None else []
    return found


def _may_group(table: Table, name: str) -> bool:
    kind = table.schema.field(name).type
    if name in USUAL_GROUPS and pa.types.is_integer(kind):
        return True
    if (
        name in ("prompt", "chosen", "rejected")
        or name.endswith("_id")
        or not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))
    ):
        return False
    first = next(table.batches([name]), None)
    texts = pl.Series(first[name]).cast(pl.String) if first is not None else pl.Series([], dtype=pl.String)
    mean = texts.str.len_chars().mean()
    few = texts.n_unique() <= max(texts.len() // 2, 2)
    return few and isinstance(mean, float) and mean <= LONGEST_VALUE


def _group(name: str, column: pl.Series) -> Group | None:
    texts = column.cast(pl.String)
    counted = texts.value_counts(name="rows").sort(["rows", name], descending=[True, False], nulls_last=True)
    if not 2 <= counted.height <= MOST_DISTINCT:
        return None
    values = counted[name].head(MOST_SHOWN).to_list()
    shown = pl.DataFrame({"value": values, "code": np.arange(len(values))}, schema_overrides={"value": pl.String})
    codes = texts.to_frame("value").join(shown, on="value", how="left", nulls_equal=True, maintain_order="left")
    return Group(
        name, values, codes["code"].fill_null(len(values)).to_numpy().astype(np.uint8), column.dtype.is_integer()
    )


def _flags(table: Table) -> dict[str, np.ndarray] | None:
    if FLAGS.name not in table.schema.names:
        return None
    kind = table.schema.field(FLAGS.name).type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or pa.types.is_nested(kind.value_type):
        return None
    column = table.numbers([FLAGS.name])[FLAGS.name].cast(pl.List(pl.String))
    frame = pl.DataFrame({"row": np.arange(column.len()), "flag": column}).explode("flag").drop_nulls()
    found: dict[str, np.ndarray] = {}
    for (flag,), part in frame.sort("flag").group_by("flag", maintain_order=True):
        found[str(flag)] = np.zeros(column.len(), bool)
        found[str(flag)][part["row"].to_numpy()] = True
    return found
