"""What the user sees of a running job: a live line on a terminal, a plain one now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from curate.cli.console import put, stderr
from curate.progress import Reporter, Silent, Step

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

PLAIN_SECONDS = 10.0
LOADED_SECONDS = 1.0
"""A stage that counts nothing is worth a line of its own if it took as long as this."""
BAR, BAR_COLUMNS = 20, 110
"""The width of a bar, and the width of a terminal that has room for it."""
SPACES = 2
"""Columns of a line that are neither its name nor what is counted."""
SHORTEST_NAME = 12


def reporter(quiet: bool) -> Reporter:
    """Live on a terminal, occasional lines elsewhere, nothing when quiet."""
    if quiet:
        return Silent()
    if sys.stderr.isatty():
        return LiveReporter(stderr())
    return PlainReporter(lambda line: stderr().print(line, markup=False))


class Count:
    """How far a stage is, how fast it is, and how long it will take at that speed.

    Args:
        total: how many there are, if known.
        done: how many were finished before; they do not count in the speed.
        unit: what is counted.
    """

    def __init__(self, total: int | None, done: int, unit: str) -> None:
        self._total, self._done, self.unit = total, done, unit
        self._begun = time.monotonic()
        self._tokens = 0
        self.new = 0

    def add(self, rows: int, tokens: int) -> None:
        """Count more."""
        self.new += rows
        self._tokens += tokens

    @property
    def seconds(self) -> float:
        """Since the stage began."""
        return max(time.monotonic() - self._begun, 1e-9)

    def said(self) -> str:
        """The share, the speed and the time left."""
        seconds, count = self.seconds, self._done + self.new
        whole, left = f"{count:,} {self.unit}", []
        if self._total:
            whole = f"{100 * count // self._total}% of {self._total:,} {self.unit}"
            if count < self._total and self.new:
                left = [f"{duration((self._total - count) * seconds / self.new)} left"]
        if not self.new:
            return whole
        speed = (
            f"{self._tokens / seconds:,.0f} tokens/s" if self._tokens else f"{self.new / seconds:,.0f} {self.unit}/s"
        )
        return ", ".join([whole, speed, *left])


def duration(seconds: float) -> str:
    """Seconds as one reads them: 40 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60} min"


class PlainStep:
    """Counts, and prints a line every ten seconds and at the end."""

    def __init__(self, name: str, count: Count, say: Callable[[str], None]) -> None:
        self._name, self._count, self._say = name, count, say
        self._said_at = time.monotonic()
        self._said_rows = -1

    def advance(self, rows: int, tokens: int = 0) -> None:
        """Count more rows."""
        self._count.add(rows, tokens)
        if time.monotonic() - self._said_at >= PLAIN_SECONDS:
            self._said_at = time.monotonic()
            self.print()

    def finish(self) -> None:
        """Print the last line, unless it was just printed."""
        if self._said_rows != self._count.new or not self._count.new:
            self.print()

    def print(self) -> None:
        """Print one line."""
        self._said_rows = self._count.new
        self._say(f"{self._name}: {self._count.said()}")


class PlainReporter:
    """Lines of text, for logs and pipes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    @contextmanager
    def step(self, name: str, total: int | None, done: int = 0, unit: str = "rows") -> Iterator[Step]:
        """Begin a stage."""
        if done:
            self._say(f"{name}: {done:,} of {total or 0:,} {unit} were measured before")
        count = Count(total, done, unit)
        if not unit:
            yield Silent()
            if count.seconds >= LOADED_SECONDS:
                self._say(f"{name}: {duration(count.seconds)}")
            return
        step = PlainStep(name, count, self._say)
        yield step
        step.finish()

    def note(self, text: str) -> None:
        """Print a line for the user."""
        self._say(f"note: {text}")


class LiveStep:
    """Advances a line."""

    def __init__(self, progress: Progress, name: str, total: int | None, done: int, count: Count) -> None:
        self._progress, self._name, self._count = progress, name, count
        self._task = progress.add_task(self._line(), total=total, completed=done)

    def advance(self, rows: int, tokens: int = 0) -> None:
        """Count more rows."""
        self._count.add(rows, tokens)
        self._progress.update(self._task, advance=rows, description=self._line())

    def _line(self) -> str:
        """What is counted is never cut; the name is, where there is no room for both."""
        said = self._count.said() if self._count.unit else ""
        room = max(self._progress.console.width - len(said) - SPACES, SHORTEST_NAME)
        name = self._name if len(self._name) <= room else f"{self._name[: room - 3]}..."
        return f"[bold]{_escape(name)}[/] {said}"


class LiveReporter:
    """Lines that change in place, with a bar where there is room."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def step(self, name: str, total: int | None, done: int = 0, unit: str = "rows") -> AbstractContextManager[Step]:
        """Begin a stage."""
        return self._lines(name, total, done, unit)

    @contextmanager
    def _lines(self, name: str, total: int | None, done: int, unit: str) -> Iterator[Step]:
        from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
        from rich.table import Column

        columns: list[ProgressColumn] = [TextColumn("{task.description}", table_column=Column(no_wrap=True))]
        if not unit:
            columns.append(SpinnerColumn())
        elif total and self._console.width >= BAR_COLUMNS:
            columns.append(BarColumn(BAR))
        # A stage that counts nothing leaves no line behind.
        with Progress(*columns, console=self._console, transient=not unit) as progress:
            yield LiveStep(progress, name, total, done, Count(total, done, unit))

    def note(self, text: str) -> None:
        """Print a line for the user."""
        from rich.text import Text

        put(Text(f"note: {text}"), self._console)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
