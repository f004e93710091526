"""The functions of `import curate`: one for each command, made from its settings, and frames in the place of files."""

from __future__ import annotations

import inspect as signatures
import textwrap
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from curate.errors import InputError
from curate.jobs import help_of, job
from curate.progress import Silent
from curate.settings import make, renamed

if TYPE_CHECKING:
    from curate.metrics.registry import Metric
    from curate.recipes.preview import RunPlan
    from curate.recipes.run import RunResult

POSITIONAL = ("data", "out")
DATA = "Data"
"""Paths, globs, hub names, frames, or results of other functions."""
IN_MEMORY = "frame.parquet"
RAISES = "Raises:\n    CurateError: whatever the command would print as an error."


def function_of(name: str) -> Callable[..., Any]:
    """The function of a command."""
    kind = job(name).settings
    signature = signatures.Signature(parameters_of(name))

    def call(*given: Any, **settings: Any) -> Any:
        settings = renamed(kind, settings)
        known = {key: value for key, value in settings.items() if key in signature.parameters}
        values = dict(signature.bind_partial(*given, **known).arguments)
        if unknown := {key: value for key, value in settings.items() if key not in known}:
            make(kind, unknown)  # refuses, and names the nearest setting
        return _run(name, values)

    call.__name__ = call.__qualname__ = name
    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__doc__ = doc_of(name)
    return call


def parameters_of(name: str) -> list[signatures.Parameter]:
    """The arguments of a command's function: data, output and what it cannot do without first, then options by name."""
    fields = job(name).settings.model_fields
    needed = [key for key, one in fields.items() if one.is_required() and key not in POSITIONAL]
    first = [key for key in POSITIONAL if key in fields] + ([] if returns_frame(name) else needed)
    order = dict.fromkeys([*first, *needed, *fields])
    return [_parameter(key, fields[key], key in first, _optional(name, key)) for key in order]


def returns_frame(name: str) -> bool:
    """Whether the command writes one table, and so may leave out where to."""
    return job(name).writes_table


def _optional(name: str, key: str) -> bool:
    return key == "out" and returns_frame(name)


def _parameter(name: str, info: FieldInfo, by_place: bool, optional: bool) -> signatures.Parameter:
    empty = signatures.Parameter.empty
    default = None if optional else empty if info.is_required() else info.get_default(call_default_factory=True)
    place = signatures.Parameter.POSITIONAL_OR_KEYWORD if by_place else signatures.Parameter.KEYWORD_ONLY
    kind = DATA if name == "data" else spelled_type(info.annotation) + (" | None" if optional else "")
    return signatures.Parameter(name, place, default=default, annotation=kind)


def spelled_type(kind: Any) -> str:
    """A type as a reader would write it: without checks, text for paths too, one or several where a tuple is taken."""
    if get_origin(kind) is Annotated:
        return spelled_type(get_args(kind)[0])
    if get_origin(kind) in (types.UnionType, typing.Union):
        return " | ".join(dict.fromkeys(spelled_type(one) for one in get_args(kind)))
    if get_origin(kind) is Literal:
        return f"Literal[{', '.join(repr(one) for one in get_args(kind))}]"
    if get_origin(kind) is tuple:
        inner = spelled_type(get_args(kind)[0])
        return f"{inner} | Sequence[{inner}]"
    if get_origin(kind) is dict:
        return f"Mapping[{', '.join(map(spelled_type, get_args(kind)))}]"
    if kind is Path:
        return "str | Path"
    if kind is Any:
        return "Any"
    return "None" if kind is type(None) else str(kind.__name__)


def doc_of(name: str) -> str:
    """The docstring of a command's function: the command's help, and each option's."""
    kind: type[BaseModel] = job(name).settings
    lines = [help_of(name), "", "Args:"]
    for one in parameters_of(name):
        info = kind.model_fields[one.name]
        said = {"data": "Paths, globs, hub names, frames, or the result of another function."}
        help = said.get(one.name, info.description or "").replace(" Repeatable.", " One or several.")
        help += " Without it, the result holds the table, and nothing is resumed." if _optional(name, one.name) else ""
        lines += textwrap.wrap(f"{one.name}: {help}", 116, initial_indent="    ", subsequent_indent="        ")
    return "\n".join([*lines, "", RAISES])


def _run(name: str, values: dict[str, Any]) -> Any:
    folder = TemporaryDirectory(prefix="curate-")
    values = {key: one if key == "data" else _place(one) for key, one in values.items()}
    values["data"] = _names(values.get("data", ()), Path(folder.name))
    if returns_frame(name) and values.get("out") is None:
        values["out"] = Path(folder.name) / f"{name}.parquet"
    one = job(name)
    result = one.run(make(one.settings, values), Silent())
    # The folder is deleted with the last reference to the result.
    object.__setattr__(result, "_folder", folder)
    return result


def _place(value: Any) -> Any:
    """The file of another function's result, as `selected=` takes one; anything else as it is."""
    out = getattr(value, "out", None)
    return out if isinstance(out, Path) else value


def _names(data: Any, folder: Path) -> tuple[str, ...]:
    """Names of files that hold this data; what is in memory is written to the folder."""
    if isinstance(data, str | Path):
        return (str(data),)
    if isinstance(data, Sequence):
        return tuple(name for i, one in enumerate(data) for name in _names(one, folder / str(i)))
    if isinstance(out := getattr(data, "out", None), Path):
        return (str(out),)
    folder.mkdir(exist_ok=True)
    _frame(data).write_parquet(folder / IN_MEMORY)
    return (str(folder / IN_MEMORY),)


def _frame(data: Any) -> Any:
    """The data as a Polars frame.

    Raises:
        InputError: it is nothing that holds a table.
    """
    import polars as pl
    import pyarrow as pa

    if isinstance(data, pl.DataFrame | pl.LazyFrame):
        return data.lazy().collect()
    if hasattr(data, "with_format"):  # a data set of the datasets library
        data = data.with_format("arrow")[:]
    if not hasattr(data, "__arrow_c_stream__"):
        hint = "Give a path, or a frame of Polars, pandas, datasets or Arrow."
        raise InputError("The data is not a table.", f"data is of the type {type(data).__name__}", hint)
    return pl.from_arrow(pa.table(data))


def run(
    recipe: str | Path, out: str | Path | None = None, *, set: Mapping[str, Any] | None = None, fresh: bool = False
) -> RunResult:
    """Run the steps of a recipe file: `curate run`.

    Args:
        recipe: the file.
        out: the folder of the steps' outputs; by default the recipe's name, in the working folder.
        set: what replaces the recipe's inputs and settings: `{"data": "pairs.jsonl", "select.top": "25%"}`.
        fresh: run every step again.

    Raises:
        CurateError: whatever the command would print as an error.
    """
    from curate.recipes.check import prepare
    from curate.recipes.file import read_recipe
    from curate.recipes.run import day_of
    from curate.recipes.run import run as run_steps

    file = read_recipe(Path(recipe))
    place = Path(out or file.recipe.name)
    return run_steps(prepare(file, set or {}, place, None if fresh else day_of(place)), Silent(), fresh=fresh)


def plan_run(recipe: str | Path, *, set: Mapping[str, Any] | None = None) -> RunPlan:
    """Say what `run` would do and about what it costs, fetching and opening nothing: `curate run --plan`.

    Raises:
        CurateError: whatever the command would print as an error.
    """
    from curate.recipes.file import read_recipe
    from curate.recipes.preview import plan_run as plan

    file = read_recipe(Path(recipe))
    return plan(file, set or {}, Path(file.recipe.name))


def catalogue(metrics: str | Path | Sequence[str | Path] = ()) -> dict[str, Metric]:
    """Every metric by name, with those of your own files of metrics: `curate metrics`.

    Raises:
        CurateError: a file cannot be used, or one of its metrics has a name that is taken.
    """
    from curate.metrics.catalogue import catalogue_of

    files = (metrics,) if isinstance(metrics, str | Path) else metrics
    return dict(catalogue_of([Path(one) for one in files]).metrics)
