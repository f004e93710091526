"""Which metrics are in force: this package's, those of installed packages, and those of the files of a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, cached_property, wraps
from pathlib import Path
from typing import Any, TypeVar

from curate.metrics.declaration import Metric
from curate.metrics.outside import Origin, Source, guarded, line_of, read_file, read_packages, reads, same
from curate.progress import Reporter
from curate.registry import declared
from curate.schema import OF_WEIGHING, RESPONSE_FIELDS, SAMPLED, named_reward, table_columns
from curate.settings import DataSettings

TEXTS = ("prompt", "chosen", "rejected")
S = TypeVar("S", bound=DataSettings)
R = TypeVar("R")


@dataclass(frozen=True)
class Catalogue:
    """Metrics that can be computed.

    Attributes:
        metrics: by name, sorted.
        sources: where those from outside this package come from.
        files: the files that the user named, in that order.
    """

    metrics: dict[str, Metric]
    sources: tuple[Source, ...] = ()
    files: tuple[Path, ...] = ()

    @cached_property
    def given(self) -> Mapping[str, Source]:
        """The metrics that the user's files declare, each with its file."""
        return {one.name: source for source in self.sources if source.origin.path for one in source.metrics}

    def facts(self) -> dict[str, dict[str, str]]:
        """What a manifest's settings hold of the user's files: names without folders, and hashes; empty without one."""
        hashes: dict[str, list[str]] = {}
        for source in self.sources:
            if source.origin.path:
                hashes.setdefault(source.name, []).append(source.content)
        return {"metrics": {name: " ".join(sorted(found)) for name, found in hashes.items()}} if hashes else {}

    def versions(self) -> dict[str, str]:
        """The installed packages that offer metrics, with their versions."""
        return {source.name: source.content for source in self.sources if source.origin.path is None}

    def origin(self, name: str) -> str:
        """The file or package that declares this metric; empty for this package's own."""
        found = (source for source in self.sources for one in source.metrics if one.name == name)
        return next((source.origin.shown for source in found), "")

    def with_sources(self, sources: Sequence[Source]) -> Catalogue:
        """This catalogue and the metrics of these sources.

        Raises:
            SettingsError: a metric has a name that is taken, or metrics read each other in a circle.
        """
        known = dict(self.metrics)
        for source in sources:
            for one in source.metrics:
                _check_name(one, source.origin, known)
                known.setdefault(one.name, guarded(one, source.origin))
        metrics = dict(sorted(known.items()))
        for source in sources:
            for one in source.metrics:
                _check_circle(one, source.origin, metrics)
        files = [source.origin.path for source in sources if source.origin.path]
        return Catalogue(metrics, (*self.sources, *sources), (*self.files, *files))


def _check_name(one: Metric, origin: Origin, known: Mapping[str, Metric]) -> None:
    other = known.get(one.name)
    if other is not None and not same(one, other):
        raise origin.refused(
            f"There are two metrics called {one.name}.", f"{line_of(one)} and {line_of(other)}", "Rename the function."
        )
    columns = {column.name for column in (*table_columns(), *SAMPLED)} | {one.candidates for one in RESPONSE_FIELDS}
    of_rewards = tuple(getattr(named_reward(""), side) for side in ("chosen", "rejected", "candidates"))
    if one.name in columns | OF_WEIGHING | set(TEXTS) or one.name.startswith(of_rewards):
        raise origin.refused(
            f"The metric {one.name} has the name of a column that curate writes or reads.",
            line_of(one),
            "Rename the function.",
        )


def _check_circle(one: Metric, origin: Origin, metrics: Mapping[str, Metric]) -> None:
    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise origin.refused(
                f"The metrics {' and '.join(dict.fromkeys(path))} read each other.",
                line_of(one),
                "Let one of them read measurements.",
            )
        for column in reads(metrics[name]):
            if column in metrics:
                visit(column, (*path, name))

    visit(one.name, ())


@cache
def installed() -> Catalogue:
    """The metrics of this package and of installed packages; a module dropped into this room is found automatically.

    Raises:
        SettingsError: a package offers something that is not a metric, or has a name that is taken.
    """
    own = {one.name: one for one in declared("curate.metrics", Metric)}
    return Catalogue(dict(sorted(own.items()))).with_sources(read_packages())


_CURRENT: ContextVar[Catalogue | None] = ContextVar("metrics", default=None)
"""Never a global: two calls in one process, perhaps in two threads, each have the metrics of their own files."""


def in_force() -> Catalogue:
    """The metrics of the command that is running; outside of one those that are installed."""
    return _CURRENT.get() or installed()


@contextmanager
def using(catalogue: Catalogue) -> Iterator[None]:
    """Have this catalogue in force."""
    token = _CURRENT.set(catalogue)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def catalogue_of(files: Sequence[Path]) -> Catalogue:
    """What is installed, and the metrics of these files.

    Raises:
        SettingsError: a file cannot be used, or one of its metrics has a name that is taken.
    """
    once = dict.fromkeys(files)
    return installed().with_sources([read_file(path) for path in once]) if once else installed()


def with_its_metrics(job: Callable[[S, Reporter], R]) -> Callable[[S, Reporter], R]:
    """The job, running with the metrics of the files that its settings name."""

    @wraps(job)
    def run(settings: S, reporter: Reporter) -> R:
        with using(catalogue_for(settings)):
            return job(settings, reporter)

    return run


def catalogue_for(settings: DataSettings) -> Catalogue:
    """The metrics of these settings; those in force if they are of the same files, so that a file runs once."""
    files: Any = getattr(settings, "metrics", ())
    current = _CURRENT.get()
    return current if current is not None and current.files == tuple(dict.fromkeys(files)) else catalogue_of(files)
