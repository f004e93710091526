"""Functions declared in files, whose keyword-only arguments are parameters that users set and that are checked."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from curate.errors import SettingsError, did_you_mean

T = TypeVar("T")

CommaList = Annotated[
    tuple[str, ...],
    BeforeValidator(
        lambda v: tuple(part.strip() for part in v.split(",") if part.strip()) if isinstance(v, str) else v
    ),
]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]

Applies = Mapping[str, Mapping[str, Any] | str]
"""For each parameter that does not always count: values of others for which it does, or a reason why it never does."""


def declared(package: str, kind: type[T]) -> list[T]:
    """Every object of this kind at the top level of a package's modules, module by module."""
    found: list[T] = []
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = importlib.import_module(f"{package}.{info.name}")
        found += [value for value in vars(module).values() if isinstance(value, kind)]
    return found


def search_working_folder() -> None:
    """Let the user's own code import modules of the folder in which the command runs."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def positional_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the arguments that are not keyword-only: the columns that a metric or method reads."""
    return tuple(p.name for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY)


def parameter_model(function: Callable[..., Any]) -> type[BaseModel]:
    """The keyword-only arguments as a pydantic model; users write `lambda` for `lambda_`.

    Raises:
        TypeError: one of them has no type or no default.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.KEYWORD_ONLY:
            if p.name not in hints or p.default is p.empty:
                raise TypeError(f"the parameter {p.name} of {function.__name__} needs a type and a default")
            fields[p.name] = (hints[p.name], Field(default=p.default, alias=p.name.rstrip("_")))
    return create_model(f"{function.__name__}_parameters", __config__=ConfigDict(extra="forbid", frozen=True), **fields)


def check_parameters(
    owner: str, model: type[BaseModel], given: Mapping[str, Any], hint: str, applies: Applies | None = None
) -> dict[str, Any]:
    """Check the given parameters and fill in defaults; returns them by argument name.

    Raises:
        SettingsError: an unknown parameter, a value out of range, or a parameter without effect.
    """
    applies = applies or {}
    known = [field.alias or name for name, field in model.model_fields.items()]
    for name, value in given.items():
        if isinstance(why := applies.get(name), str):
            raise SettingsError(
                f"{owner}.{name} changes nothing: {why}.",
                setting="options",
                value=f"{owner}.{name}={value}",
                hint="Leave it out.",
            )
        if name not in known:
            raise SettingsError(
                f"{owner} has no parameter {name}.",
                setting="options",
                value=f"{owner}.{name}",
                hint=did_you_mean(name, known) or f"{owner} has no parameters.",
            )
    try:
        checked = model(**given).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        value = given.get(name)
        raise SettingsError(
            f"{owner}.{name} cannot be {value!r}: {first['msg']}.",
            setting="options",
            value=f"{owner}.{name}={value}",
            hint=hint,
        ) from error
    for key, field in model.model_fields.items():
        name = field.alias or key
        unmet = _unmet(key, checked, applies) if name in given and checked[key] != field.default else {}
        for other, wanted in unmet.items():
            raise SettingsError(
                f"{owner}.{name} changes nothing where {other} is {checked[other]}.",
                setting="options",
                value=f"{owner}.{name}={given[name]}",
                hint=f"Leave it out, or add --set {owner}.{other}={wanted}.",
            )
    return checked


def applicable(parameters: Mapping[str, Any], applies: Applies) -> dict[str, Any]:
    """The parameters that count in this form."""
    return {name: value for name, value in parameters.items() if not _unmet(name, parameters, applies)}


def _unmet(name: str, parameters: Mapping[str, Any], applies: Applies) -> dict[str, Any]:
    """The values of other parameters for which this one would count; empty if it does."""
    wanted = applies.get(name.rstrip("_"), {})
    assert not isinstance(wanted, str), "such a parameter is refused before it has a value"
    return {other: value for other, value in wanted.items() if parameters[other] != value}
