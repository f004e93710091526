"""The functions that `--where` may call: each computes a row's value from values of the same row and nothing else.

Names and meanings follow Polars' SQL, so that a condition means the same in both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

import polars as pl

MANY = 1_000
WILDCARDS = {"%": ".*", "_": "."}
# fmt: off
AGGREGATES = frozenset({
    "ARRAY_AGG", "AVG", "CORR", "COUNT", "COVAR", "COVAR_POP", "FIRST", "FIRST_VALUE", "LAST", "LAST_VALUE", "MAX",
    "MEAN", "MEDIAN", "MIN", "QUANTILE_CONT", "QUANTILE_DISC", "RANK", "DENSE_RANK", "ROW_NUMBER", "LAG", "LEAD",
    "STDDEV", "STDDEV_SAMP", "STDEV", "STDEV_SAMP", "STRING_AGG", "SUM", "VAR", "VARIANCE", "VAR_SAMP",
})
# fmt: on
"""Known functions that span several rows, listed only so that the error can say why they are refused."""


@dataclass(frozen=True)
class Function:
    """One function.

    Attributes:
        make: builds the value's expression from the arguments' expressions.
        least: minimum number of arguments.
        most: maximum number of arguments.
        constants: positions, from 0, of arguments that must be the same for every row.
        known: whether a null argument makes the value null.
    """

    make: Callable[..., pl.Expr]
    least: int = 1
    most: int = 1
    constants: tuple[int, ...] = ()
    known: bool = True


def _substring(text: pl.Expr, start: pl.Expr, length: pl.Expr | None = None) -> pl.Expr:
    """Substring from a position counted from 1; positions before the text count towards the length, as in SQL."""
    first = pl.max_horizontal(start - 1, pl.lit(0))
    if length is None:
        return text.str.slice(first)
    return text.str.slice(first, pl.max_horizontal(start - 1 + length - first, pl.lit(0)))


def _strpos(text: pl.Expr, part: pl.Expr) -> pl.Expr:
    """Position of the first occurrence, counted from 1; 0 if there is none."""
    place = (text.str.find(part, literal=True) + 1).fill_null(0)
    return pl.when(text.is_not_null() & part.is_not_null()).then(place)


def array_get(values: pl.Expr, place: pl.Expr) -> pl.Expr:
    """The entry at a position counted from 1, or from the end if negative; null if there is none."""
    at = pl.when(place > 0).then(place - 1).when(place < 0).then(place)
    return values.list.get(at, null_on_oob=True)


def _array_contains(values: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_not_null()).then(values.list.contains(value))


def _array_sum(values: pl.Expr) -> pl.Expr:
    """Null if there is no value, because an empty sum would give 0."""
    return pl.when(values.list.drop_nulls().list.len() > 0).then(values.list.sum())


def _split_part(text: pl.Expr, separator: pl.Expr, place: pl.Expr) -> pl.Expr:
    return pl.when(text.is_not_null()).then(array_get(text.str.split(separator), place).fill_null(""))


def _null_if(value: pl.Expr, other: pl.Expr) -> pl.Expr:
    return pl.when(value != other).then(value).when(other.is_null()).then(value)


def _concat_ws(separator: str, *values: pl.Expr) -> pl.Expr:
    return pl.concat_str(values, separator=separator, ignore_nulls=True)


def first_true(*parts: pl.Expr) -> pl.Expr:
    """The value of the first condition that holds: takes n conditions, n values, and a default."""
    count = len(parts) // 2
    pairs = list(zip(parts[:count], parts[count : 2 * count], strict=True))
    return reduce(
        lambda other, pair: pl.when(pair[0].cast(pl.Boolean)).then(pair[1]).otherwise(other), reversed(pairs), parts[-1]
    )


def divided(value: pl.Expr, by: pl.Expr) -> pl.Expr:
    """Integer quotient, truncated towards zero; null if `by` is 0."""
    return pl.when(by != 0).then((value.abs() // by.abs()) * value.sign() * by.sign())


def remainder(value: pl.Expr, by: pl.Expr) -> pl.Expr:
    """Remainder with the sign of `value`; null if `by` is 0."""
    return pl.when(by != 0).then((value.abs() % by.abs()) * value.sign())


def like_pattern(pattern: str) -> str:
    """The regular expression equivalent to a LIKE pattern: `%` matches any text, `_` any one character."""
    return f"^{''.join(WILDCARDS.get(letter) or _literally(letter) for letter in pattern)}$"


def _literally(letter: str) -> str:
    return letter if letter.isalnum() or not letter.isascii() else f"\\x{{{ord(letter):x}}}"


_LENGTH = Function(lambda text: text.str.len_chars())
_CEIL = Function(lambda value: value.ceil())
_POWER = Function(lambda value, power: value**power, 2, 2)
_SUBSTRING = Function(_substring, 2, 3)
_TRIM = Function(lambda text, chars=None: text.str.strip_chars(chars), 1, 2, (1,))

FUNCTIONS: Mapping[str, Function] = {
    # any value
    "COALESCE": Function(lambda *values: pl.coalesce(*values), 1, MANY, known=False),
    "IFNULL": Function(lambda value, other: pl.coalesce(value, other), 2, 2, known=False),
    "NULLIF": Function(_null_if, 2, 2, known=False),
    "IF": Function(lambda holds, then, other: pl.when(holds).then(then).otherwise(other), 3, 3, known=False),
    "GREATEST": Function(lambda *values: pl.max_horizontal(*values), 1, MANY, known=False),
    "LEAST": Function(lambda *values: pl.min_horizontal(*values), 1, MANY, known=False),
    # numbers
    "ABS": Function(lambda value: value.abs()),
    "SIGN": Function(lambda value: value.sign()),
    "ROUND": Function(lambda value, digits=0: value.round(digits), 1, 2, (1,)),
    "CEIL": _CEIL,
    "CEILING": _CEIL,
    "FLOOR": Function(lambda value: value.floor()),
    "SQRT": Function(lambda value: value.sqrt()),
    "CBRT": Function(lambda value: value.cbrt()),
    "EXP": Function(lambda value: value.exp()),
    "LN": Function(lambda value: value.log()),
    "LOG2": Function(lambda value: value.log(2)),
    "LOG10": Function(lambda value: value.log(10)),
    "LOG1P": Function(lambda value: value.log1p()),
    "POW": _POWER,
    "POWER": _POWER,
    "DIV": Function(divided, 2, 2),
    "MOD": Function(remainder, 2, 2),
    # text
    "LENGTH": _LENGTH,
    "CHAR_LENGTH": _LENGTH,
    "CHARACTER_LENGTH": _LENGTH,
    "OCTET_LENGTH": Function(lambda text: text.str.len_bytes()),
    "LOWER": Function(lambda text: text.str.to_lowercase()),
    "UPPER": Function(lambda text: text.str.to_uppercase()),
    "INITCAP": Function(lambda text: text.str.to_titlecase()),
    "TRIM": _TRIM,
    "BTRIM": _TRIM,
    "LTRIM": Function(lambda text, chars=None: text.str.strip_chars_start(chars), 1, 2, (1,)),
    "RTRIM": Function(lambda text, chars=None: text.str.strip_chars_end(chars), 1, 2, (1,)),
    "LEFT": Function(lambda text, count: text.str.head(count), 2, 2),
    "RIGHT": Function(lambda text, count: text.str.tail(count), 2, 2),
    "SUBSTR": _SUBSTRING,
    "SUBSTRING": _SUBSTRING,
    "REPLACE": Function(lambda text, old, new: text.str.replace_all(old, new, literal=True), 3, 3),
    "REVERSE": Function(lambda text: text.str.reverse()),
    "CONCAT": Function(lambda *values: pl.concat_str(values, ignore_nulls=True), 1, MANY, known=False),
    "CONCAT_WS": Function(_concat_ws, 2, MANY, (0,), known=False),
    "STARTS_WITH": Function(lambda text, start: text.str.starts_with(start), 2, 2),
    "ENDS_WITH": Function(lambda text, end: text.str.ends_with(end), 2, 2),
    "STRPOS": Function(_strpos, 2, 2),
    "REGEXP_LIKE": Function(lambda text, pattern: text.str.contains(pattern), 2, 2),
    "SPLIT_PART": Function(_split_part, 3, 3),
    # lists
    "ARRAY_CONTAINS": Function(_array_contains, 2, 2),
    "ARRAY_LENGTH": Function(lambda values: values.list.len()),
    "ARRAY_GET": Function(array_get, 2, 2),
    "ARRAY_MEAN": Function(lambda values: values.list.mean()),
    "ARRAY_SUM": Function(_array_sum),
    "ARRAY_UPPER": Function(lambda values: values.list.max()),
    "ARRAY_LOWER": Function(lambda values: values.list.min()),
    "ARRAY_TO_STRING": Function(lambda values, separator: values.list.join(separator, ignore_nulls=True), 2, 2),
    # dates
    "YEAR": Function(lambda date: date.dt.year()),
    "MONTH": Function(lambda date: date.dt.month()),
    "DAY": Function(lambda date: date.dt.day()),
}
