"""How a method declares itself, and how its columns are made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel

from curate.errors import SettingsError, did_you_mean
from curate.metrics.registry import Options, all_metrics, as_numbers, columns_read, compute, missing_column
from curate.registry import Applies, applicable, check_parameters, declared, parameter_model, positional_names

MARGIN = "margin"
"""The reward margin, which reward-model trainers read; added if there are rewards."""
Columns = dict[str, np.ndarray]
Batch = int | Literal["all"]
Presets = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Method:
    """One method: a pure function of whole columns, without nulls, to its output columns.

    Attributes:
        name: as `--set NAME.parameter=` spells it; `--method` also takes hyphens.
        columns: the columns it reads: measurements, or metrics that can be computed from them.
        model: pydantic model of its parameters.
        twin: which of its columns is also written under a generic name: `weight` or `target_margin`.
        presets: published settings by name.
        needs: maps parameters to further columns to read, passed as the argument `measured`.
        applies: parameters that count only in some form, or never.
    """

    name: str
    function: Callable[..., Columns]
    columns: tuple[str, ...]
    model: type[BaseModel]
    twin: Mapping[str, str] = field(default_factory=dict)
    presets: Presets = field(default_factory=dict)
    needs: Callable[[Mapping[str, Any]], tuple[str, ...]] = lambda _: ()
    applies: Applies = field(default_factory=dict)

    @property
    def meaning(self) -> str:
        """First paragraph of the docstring, on one line."""
        return inspect.cleandoc(self.function.__doc__ or "").split("\n\n")[0].replace("\n", " ")

    def parameters(self, given: Mapping[str, Any], preset: str | None) -> dict[str, Any]:
        """Defaults, overridden by a preset's values, overridden by the given ones.

        Raises:
            SettingsError: an unknown preset or parameter, a value out of range, or a parameter without effect.
        """
        if preset is not None and preset not in self.presets:
            raise SettingsError(
                f"{self.name} has no preset {preset}.",
                setting="preset",
                value=preset,
                hint=did_you_mean(preset, self.presets) or f"{self.name} has no presets.",
            )
        hint = "The table of methods in recipes/README.md shows the parameters."
        wanted = {**self.presets.get(preset or "", {}), **given}
        return check_parameters(self.name, self.model, wanted, hint, self.applies)

    def shown(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that count in this form, as users spell them."""
        return {key.rstrip("_"): value for key, value in applicable(parameters, self.applies).items()}


def method(
    *,
    twin: Mapping[str, str] | None = None,
    presets: Presets | None = None,
    needs: Callable[[Mapping[str, Any]], tuple[str, ...]] = lambda _: (),
    applies: Applies | None = None,
) -> Callable[[Callable[..., Columns]], Method]:
    """Declare a function of columns as a method; arguments as for a metric."""

    def declare(function: Callable[..., Columns]) -> Method:
        columns = tuple(name for name in positional_names(function) if name != "measured")
        model, how = parameter_model(function), (twin or {}, presets or {}, needs, applies or {})
        return Method(function.__name__, function, columns, model, *how)

    return declare


@cache
def all_methods() -> dict[str, Method]:
    """Every method of this room by name."""
    return {one.name: one for one in sorted(declared("curate.weighing", Method), key=lambda one: one.name)}


def find_method(name: str) -> Method:
    """The method of this name, spelled with hyphens or underscores.

    Raises:
        SettingsError: there is no such method.
    """
    spelled = name.replace("-", "_")
    if spelled not in all_methods():
        known = [one.replace("_", "-") for one in all_methods()]
        raise SettingsError(f"There is no method {name}.", setting="method", value=name, hint=did_you_mean(name, known))
    return all_methods()[spelled]


def columns_needed(chosen: Method, parameters: Mapping[str, Any], present: list[str]) -> tuple[str, ...]:
    """The table's columns that the method is computed from.

    Raises:
        SettingsError: one of them is missing.
    """
    found: dict[str, None] = {}
    for wanted in (*chosen.columns, *chosen.needs(parameters)):
        leaves = columns_read(wanted, {}, frozenset(present)) if wanted in all_metrics() else (wanted,)
        if wanted in present and not set(leaves) <= set(present):
            leaves = (wanted,)
        for leaf in leaves:
            if leaf not in present:
                raise missing_column(chosen.name, leaf, present)
            found[leaf] = None
    return tuple(found)


def weights_of(chosen: Method, frame: pl.DataFrame, parameters: Mapping[str, Any]) -> dict[str, pl.Series]:
    """The method's columns for every row of the table; null where an input is null.

    The population is the rows without a null and, if tokens are read, with tokens on both sides: a row that could not
    be measured affects no other. A metric is computed again if its measurements are there: an existing column of it may
    come from another population.
    """
    inputs = {name: _column(name, frame) for name in (*chosen.columns, *chosen.needs(parameters))}
    known = np.ones(frame.height, bool)
    for name, values in inputs.items():
        known &= values.is_not_null().to_numpy()
        if name.endswith("_tokens"):
            known &= (values > 0).fill_null(False).to_numpy()
    arrays = {name: values.to_numpy()[known] for name, values in inputs.items()}
    arguments: list[Any] = [arrays[name] for name in chosen.columns]
    if "measured" in positional_names(chosen.function):
        arguments.append({name: arrays[name] for name in chosen.needs(parameters)})
    made = chosen.function(*arguments, **parameters)
    columns = {name: _spread(name, values, known) for name, values in made.items()}
    return columns | {twin: columns[name].alias(twin).cast(pl.Float64) for twin, name in chosen.twin.items()}


@cache
def columns_written() -> frozenset[str]:
    """The columns that any method adds, including generic ones: what each method makes of an empty table."""
    found: set[str] = {MARGIN}
    for one in all_methods().values():
        parameters = one.parameters({}, None)
        names = (*one.columns, *one.needs(parameters))
        found |= weights_of(one, pl.DataFrame(schema=dict.fromkeys(names, pl.Float64)), parameters).keys()
    return frozenset(found)


def _column(name: str, frame: pl.DataFrame) -> pl.Series:
    options: Options = {}
    return as_numbers(frame[name]) if name in frame.columns else compute(name, frame, options)[0]


def _spread(name: str, values: np.ndarray, known: np.ndarray) -> pl.Series:
    """Put the values back in the rows they came from."""
    places = np.full(known.size, -1)
    places[known] = np.arange(values.size)
    index = pl.Series(places, dtype=pl.Int64)
    spread = pl.Series(name, values).gather(pl.select(pl.when(index >= 0).then(index)).to_series())
    return as_numbers(spread) if spread.dtype == pl.Float64 else spread


def batches(rows: int, batch: Batch) -> list[slice]:
    """Consecutive rows that play the part of a trainer's batches: `batch` at a time, or all of them.

    A last batch of a single row is merged into the one before: alone it has no spread.
    """
    size = rows if batch == "all" else batch
    if not rows:
        return []
    starts = list(range(0, rows, size))
    if len(starts) > 1 and rows - starts[-1] == 1:
        starts.pop()
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], rows], strict=True)]
