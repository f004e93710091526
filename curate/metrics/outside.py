"""Metrics from outside this package: in a file that the user names, or offered by an installed package."""

from __future__ import annotations

import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from importlib.metadata import EntryPoint, entry_points
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import polars as pl

from curate.errors import CurateError, SettingsError, first_line, last_line
from curate.hashing import DIGEST_BYTES
from curate.metrics.declaration import Metric
from curate.registry import positional_names, search_working_folder
from curate.text_file import read_bytes

GROUP = "curate.metrics"
"""The entry point group in which packages offer metrics: a module of them, or one metric."""
OWN = f"{GROUP}."
EXAMPLE = '@metric(unit="...", prefer="high"), from curate.metrics.registry'
CALLED_WITH = "It is called with whole columns (Polars Series, null where missing) and returns one value per row."
NUMBERS = count()
R = TypeVar("R")


@dataclass(frozen=True)
class Origin:
    """Where metrics come from.

    Attributes:
        shown: how messages name it: the file, or the package.
        path: the file as the user named it; None for a package.
    """

    shown: str
    path: Path | None = None

    def refused(self, what: str, where: str, hint: str) -> SettingsError:
        """An error about this file or package."""
        if self.path is None:
            return SettingsError(what, where or f"the package {self.shown}", hint)
        return SettingsError(what, where, hint, setting="metrics", value=self.path)


@dataclass(frozen=True)
class Source:
    """The metrics of one file or package.

    Attributes:
        name: the file's name without its folder, or the package.
        content: what decides the numbers: a hash of the file, 32 hexadecimal digits, or the package's version.
        metrics: those that it declares or imports from outside this package.
    """

    origin: Origin
    name: str
    content: str
    metrics: tuple[Metric, ...]


def read_file(path: Path) -> Source:
    """Run a file and return its metrics. Nothing of it stays: the next call runs the file again.

    Raises:
        SettingsError: there is no such file, it raises, or it declares no metric.
    """
    origin = Origin(str(path), path)
    try:
        content = read_bytes(path)
    except FileNotFoundError as error:
        hint = "Check the path and the folder in which the command runs."
        raise origin.refused("There is no such file of metrics.", "", hint) from error
    except OSError as error:
        what = f"The file of metrics cannot be read: {error}."
        raise origin.refused(what, "", "Check its name and permissions.") from error
    found = _checked(_run(path, content, origin), origin)
    digest = hashlib.blake2b(content, digest_size=DIGEST_BYTES).hexdigest()
    return Source(origin, path.name, digest, found)


def _run(path: Path, content: bytes, origin: Origin) -> list[Any]:
    """What the file's module holds at its top level."""
    search_working_folder()
    # A name of its own, because another file may be called alike, and a file may be edited between two calls.
    module = ModuleType(f"curate_metrics_{next(NUMBERS)}_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(content, str(path), "exec", dont_inherit=True), vars(module))
    except (Exception, SystemExit) as error:
        what = f"The file of metrics cannot be imported: {type(error).__name__}: {first_line(error)}"
        hint = "Fix it there; other modules are searched for in the working folder and on PYTHONPATH."
        raise origin.refused(what, _line(error, str(path)), hint) from error
    finally:
        del sys.modules[module.__name__]
    return list(vars(module).values())


def _line(error: BaseException, file: str) -> str:
    """The last line of this file that the exception passed through; of any file where it passed through none of it."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    place = ([one for one in frames if one.filename == file] or frames)[-1]
    return f"{place.filename}:{place.lineno}, in {place.name}"


def read_packages() -> list[Source]:
    """The metrics that installed packages offer.

    Raises:
        SettingsError: what one of them offers cannot be loaded, or is not a metric.
    """
    entries = [(one.dist.name if one.dist else one.name, one) for one in entry_points(group=GROUP)]
    return [_read_package(*named) for named in sorted(entries, key=lambda named: (named[0], named[1].name))]


def _read_package(package: str, entry: EntryPoint) -> Source:
    origin = Origin(package)
    where, hint = f"entry point {GROUP}: {entry.name} = {entry.value}", f"Fix or uninstall {package}."
    try:
        loaded = entry.load()
    except (Exception, SystemExit) as error:
        what = f"The metrics of the package {package} cannot be imported: {type(error).__name__}: {first_line(error)}"
        raise origin.refused(what, where, hint) from error
    if not isinstance(loaded, ModuleType | Metric):
        what = f"The package {package} offers {loaded!r}, which is neither a metric nor a module of metrics."
        raise origin.refused(what, where, hint)
    found = [loaded] if isinstance(loaded, Metric) else list(vars(loaded).values())
    return Source(origin, package, entry.dist.version if entry.dist else "", _checked(found, origin))


def _checked(values: list[Any], origin: Origin) -> tuple[Metric, ...]:
    """The metrics among these values, without those of this package, which a file may import."""
    found = {id(one): one for one in values if isinstance(one, Metric) and not one.function.__module__.startswith(OWN)}
    if not found:
        raise origin.refused(f"{origin.shown} declares no metric.", "", f"Decorate a function with {EXAMPLE}.")
    for one in found.values():
        if wrong := next(_mistakes(one), None):
            raise origin.refused(wrong, line_of(one), f"Declare it as {EXAMPLE}; `curate/README.md` has an example.")
    return tuple(found.values())


def _mistakes(one: Metric) -> Iterator[str]:
    """What is wrong with a declaration that Python accepts."""
    kinds = [p.kind for p in inspect.signature(one.function).parameters.values()]
    if not one.name.isidentifier():
        yield f"A metric has the name of its function, and {one.name} is not a name."
    if one.prefer not in ("high", "low"):
        yield f"The metric {one.name} prefers {one.prefer!r}, which is neither high nor low."
    if not isinstance(one.unit, str):
        yield f"The unit of the metric {one.name} is {one.unit!r}, not a text."
    if inspect.Parameter.VAR_POSITIONAL in kinds or inspect.Parameter.VAR_KEYWORD in kinds:
        yield f"The metric {one.name} does not name each column and parameter."
    if not positional_names(one.function):
        yield f"The metric {one.name} reads no column."
    if one.columns.count(one.name):
        yield f"The metric {one.name} reads itself."


def line_of(one: Metric) -> str:
    """Where a metric's function is: its file and line."""
    code = getattr(inspect.unwrap(one.function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else one.function.__module__


def guarded(one: Metric, origin: Origin) -> Metric:
    """The same metric; an exception in its code becomes an error that names the line."""

    def safe(call: Callable[..., R]) -> Callable[..., R]:
        @wraps(call)
        def run(*columns: Any, **parameters: Any) -> R:
            try:
                return call(*columns, **parameters)
            except CurateError:
                raise
            except Exception as error:
                # Whatever the user's function raises is for the user to fix.
                what = f"The metric {one.name} raised {type(error).__name__}: {last_line(error)}"
                file = line_of(one).rpartition(":")[0]
                raise origin.refused(what, _line(error, file), CALLED_WITH) from error

        return run

    function = one.function if one.population else _of_each_row_alone(one, origin)
    return replace(one, function=safe(function), needs=safe(one.needs), resolve=safe(one.resolve))


def _of_each_row_alone(one: Metric, origin: Origin) -> Callable[..., Any]:
    """The function, refused where a row's value changes when later rows are left out.

    `select` and `pair` compute such metrics on some rows at a time, and would get other values than `score`. It is
    tried again only on tables over twice as long as before.
    """
    tried = 0

    @wraps(one.function)
    def run(*columns: Any, **parameters: Any) -> Any:
        nonlocal tried
        found = one.function(*columns, **parameters)
        rows = found.len() if isinstance(found, pl.Series) else 0
        if rows > 2 * tried + 1:
            tried = rows
            some = [_beginning(column, rows // 2) for column in columns]
            if not any(_all_null(column) for column in some):
                again = one.function(*some, **parameters)
                if isinstance(again, pl.Series) and not _agree(found.head(rows // 2), again):
                    what = f"The metric {one.name} gives rows other values when other rows are left out."
                    raise origin.refused(what, line_of(one), "If that is meant, declare it with population=True.")
        return found

    return run


def _beginning(column: Any, rows: int) -> Any:
    """The first rows of a column, or of each of several by name."""
    if isinstance(column, pl.Series):
        return column.head(rows)
    return {name: values.head(rows) for name, values in column.items()}


def _all_null(column: Any) -> bool:
    values = [column] if isinstance(column, pl.Series) else column.values()
    return any(one.null_count() == one.len() for one in values)


def _agree(before: pl.Series, now: pl.Series) -> bool:
    """Whether these are the same numbers, but for rounding."""
    first, second = (one.cast(pl.Float64, strict=False).to_numpy() for one in (before, now))
    return first.size == second.size and np.allclose(first, second, rtol=1e-9, atol=1e-12, equal_nan=True)


def same(one: Metric, other: Metric) -> bool:
    """Whether both are one declaration, which may be imported into several files."""
    return inspect.unwrap(one.function) is inspect.unwrap(other.function)


def reads(one: Metric) -> tuple[str, ...]:
    """The columns that it reads by default."""
    return (*one.columns, *one.needs(one.resolve(one.parameters({}), frozenset())))
