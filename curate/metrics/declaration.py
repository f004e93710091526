"""How a metric declares itself: one decorated function of whole columns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel

from curate.registry import Applies, applicable, check_parameters, parameter_model, positional_names

Measured = Mapping[str, pl.Series]
Parameters = Mapping[str, Any]
EXTRA_COLUMNS = "measured"


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
