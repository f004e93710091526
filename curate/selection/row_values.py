"""Row values while a condition is computed: columns and constants, with NaN as null."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from curate.errors import SettingsError

EXAMPLE = 'For example: "reward_margin > 0.5"'
Value = pl.Series | float | int | str | bool | datetime.date | list[Any] | None
"""A column, or one value for every row."""
TYPES: dict[str, Any] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INT", "BIGINT"), pl.Int64),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), pl.Float64),
    **dict.fromkeys(("CHAR", "VARCHAR", "TEXT"), pl.String),
    "BOOLEAN": pl.Boolean,
    "DATE": pl.Date,
}


def wrong(what: str, hint: str = EXAMPLE) -> SettingsError:
    """The error of a condition; whoever holds the whole condition adds the setting and its text."""
    return SettingsError(what, hint=hint)


def applied(make: Callable[..., pl.Expr], values: Sequence[Value]) -> Value:
    """Apply an expression to these values.

    Args:
        make: builds the resulting expression from the values as expressions.
        values: columns of equal length, and constants.
    """
    columns = {str(i): value for i, value in enumerate(values) if isinstance(value, pl.Series)}
    expressions = [pl.col(str(i)) if str(i) in columns else pl.lit(value) for i, value in enumerate(values)]
    found = normal(pl.DataFrame(columns).select(value=make(*expressions)).to_series())
    return found if columns else found.item()


def of_known(make: Callable[..., pl.Expr], values: Sequence[Value]) -> Value:
    """The same for an expression that is null if any value is null; the type is unknown if all values are null."""
    if any(value is None or (isinstance(value, pl.Series) and value.dtype == pl.Null) for value in values):
        return None
    return applied(make, values)


def is_boolean(value: Value) -> bool:
    """Whether the value is boolean (true, false or null)."""
    if isinstance(value, pl.Series):
        return value.dtype in (pl.Boolean, pl.Null)
    return value is None or isinstance(value, bool)


def converted(value: Value, kind: str, strict: bool) -> Value:
    """Convert the value to another of `TYPES`.

    Args:
        value: a column or a constant.
        kind: the type's name.
        strict: refuse a value that cannot be converted, instead of making it null.

    Raises:
        SettingsError: a value cannot be converted, or no value of this type can be.
    """
    texts = isinstance(value, str) or (isinstance(value, pl.Series) and value.dtype == pl.String)

    def make(one: pl.Expr) -> pl.Expr:
        if texts and TYPES[kind] == pl.Date:
            return one.str.to_date("%Y-%m-%d", strict=strict)
        return one.cast(TYPES[kind], strict=strict)

    try:
        return applied(make, [value])
    except PolarsError as error:
        raise wrong(f"Not every value can be cast to {kind}.", "TRY_CAST gives NULL for those.") from error


def normal(column: pl.Series) -> pl.Series:
    """The column with NaN as null, also in lists and structs, and integers as 64-bit, so that they do not overflow."""
    if column.dtype.is_integer():
        return column.cast(pl.Int64)
    cleaned = _nan_to_null(column.dtype, pl.col("value"))
    if cleaned is None:
        return column
    return pl.DataFrame({"value": column}).select(cleaned).to_series().alias(column.name)


def _nan_to_null(dtype: Any, value: pl.Expr) -> pl.Expr | None:
    """None if values of this type cannot contain NaN. Fixed-size lists become lists."""
    if dtype.is_float():
        return value.fill_nan(None)
    if isinstance(dtype, pl.Array):
        lists = value.arr.to_list()
        cleaned = _nan_to_null(pl.List(dtype.inner), lists)
        return lists if cleaned is None else cleaned
    if isinstance(dtype, pl.List):
        inside = _nan_to_null(dtype.inner, pl.element())
        return None if inside is None else value.list.eval(inside)
    if isinstance(dtype, pl.Struct):
        fields = {one.name: _nan_to_null(one.dtype, pl.field(one.name)) for one in dtype.fields}
        changed = {name: one for name, one in fields.items() if one is not None}
        return value.struct.with_fields(**changed) if changed else None
    return None
