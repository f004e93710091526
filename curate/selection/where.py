"""`--where`: a SQL condition on one row, parsed by sqlglot and computed by Polars.

Only what is listed here is computed: columns, constants, operators and the functions of `row_functions`. Queries,
table functions and aggregates are refused before any data is read, and no other parser sees the text.

Missing values follow SQL: comparing with NULL is neither true nor false, and only rows where the condition is true are
kept. NaN counts as NULL: in columns, in their lists and structs, and in every computed value.

Imported only if there is a condition, because importing sqlglot takes a third of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import polars as pl
from polars.exceptions import PolarsError
from sqlglot import exp, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from curate.errors import SettingsError, first_line
from curate.selection.row_values import EXAMPLE, is_boolean, normal, wrong
from curate.selection.where_nodes import Compute, Node, compiled

KEYWORDS = {name: kind for name, kind in tokens.Tokenizer.KEYWORDS.items() if name != "DIV"}
WITHOUT_ARGUMENTS = ("ANY", "CASE")
OF_THEIR_OWN = ("CAST", "TRY_CAST")


class _Sql(Dialect):
    """sqlglot's SQL with Polars' spelling and precedence; every function is parsed as a name with arguments."""

    class Tokenizer(tokens.Tokenizer):
        IDENTIFIERS: ClassVar = ['"', "`"]
        KEYWORDS: ClassVar = {**KEYWORDS, "~": TokenType.RLIKE, "~*": TokenType.IRLIKE, "//": TokenType.DIV}

    class Parser(parser.Parser):
        IS_PREDICATE_PRECEDENCE: ClassVar = parser.IsPredicatePrecedence.LOW
        FUNCTIONS: ClassVar = {}
        NO_PAREN_FUNCTIONS: ClassVar = {}
        SUBQUERY_PREDICATES: ClassVar = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar = {
            name: parser.Parser.NO_PAREN_FUNCTION_PARSERS[name] for name in WITHOUT_ARGUMENTS
        }
        FUNCTION_PARSERS: ClassVar = {name: parser.Parser.FUNCTION_PARSERS[name] for name in OF_THEIR_OWN}


@dataclass(frozen=True)
class Condition:
    """A condition on a row.

    Attributes:
        text: as the user wrote it.
        columns: the columns it reads.
        compute: maps the columns to its value.
    """

    text: str
    columns: tuple[str, ...]
    compute: Compute

    def holds(self, frame: pl.DataFrame) -> pl.Series:
        """Whether the condition is true for each row of a frame; never null.

        Raises:
            SettingsError: it cannot be computed from columns of these types, or does not give true or false.
        """
        try:
            value = self.compute(pl.DataFrame([normal(frame[name]) for name in self.columns]))
        except SettingsError as error:
            error.setting, error.value = "where", self.text
            raise
        except PolarsError as error:
            what = f"The condition cannot be used: {first_line(error)}"
            hint = "Compare a column with values of its own type."
            raise SettingsError(what, setting="where", value=self.text, hint=hint) from error
        except RecursionError as error:
            raise _too_deep(self.text) from error
        if not is_boolean(value):
            raise SettingsError(
                "The condition is neither true nor false.", setting="where", value=self.text, hint=EXAMPLE
            )
        column = value if isinstance(value, pl.Series) else pl.repeat(value, frame.height, dtype=pl.Boolean, eager=True)
        return column.cast(pl.Boolean).fill_null(False)


def condition(text: str) -> Condition:
    """Parse a `--where` without reading data.

    Raises:
        SettingsError: not a condition on one row.
    """
    try:
        tree = _parsed(text)
        compute = compiled(tree)
    except SettingsError as error:
        error.setting, error.value = "where", text
        raise
    except RecursionError as error:
        raise _too_deep(text) from error
    columns = tuple(dict.fromkeys(column.parts[0].name for column in tree.find_all(exp.Column)))
    if not columns:
        raise SettingsError("The condition names no column.", setting="where", value=text, hint=EXAMPLE)
    return Condition(text, columns, compute)


def _too_deep(text: str) -> SettingsError:
    return SettingsError("The condition is nested too deeply.", setting="where", value=f"{text[:60]}...", hint=EXAMPLE)


def _parsed(text: str) -> Node:
    try:
        trees = _Sql().parse_into(exp.Condition, text)
    except SqlglotError as error:
        details: Sequence[dict[str, Any]] = getattr(error, "errors", ())
        near = details[0].get("highlight") if details else None
        what = f"The condition cannot be read near {near!r}." if near else "The condition cannot be read."
        raise wrong(what) from error
    if len(trees) != 1 or trees[0] is None:
        raise wrong("--where takes one condition.")
    if trees[0].find(exp.Query) is not None:
        raise wrong("A condition cannot contain a query.")
    return trees[0]
