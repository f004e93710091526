"""What the user sees: a live bar on a terminal, plain lines elsewhere, errors, summaries."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError
from curate.jobs.lines import Grid, Line, Marked, Next, Strong, cell
from curate.progress import Reporter, Silent, Step

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.text import Text

PLAIN_SECONDS = 10.0
STYLES = {"chosen": "bold green", "rejected": "bold red"}
CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | dict.fromkeys(
    range(127, 160), 0xFFFD
)
"""Pictures of control characters: a text of the data must not move the cursor or rename the window."""
BRACKETS = {"chosen": ("{+", "+}"), "rejected": ("[-", "-]")}


def stdout() -> Console:
    """The console for results; wide enough not to cut tables when the output is piped."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False, soft_wrap=True)


def stderr() -> Console:
    """The console for progress and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def reporter(quiet: bool) -> Reporter:
    """Live bars on a terminal, occasional lines elsewhere, nothing when quiet."""
    if quiet:
        return Silent()
    return (
        LiveReporter(stderr())
        if sys.stderr.isatty()
        else PlainReporter(lambda line: stderr().print(line, markup=False))
    )


def print_error(error: CurateError) -> None:
    """What, where, what to try."""
    console = stderr()
    for label, text in (("error:", error.what), ("where:", error.where), ("try:", error.hint)):
        style = "bold red" if label == "error:" else "bold"
        console.print(f"[{style}]{label:>6}[/] {_escape(' '.join(text.split()))}")


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


class PlainStep:
    """Counts, and prints a line every ten seconds and at the end."""

    def __init__(self, name: str, total: int | None, done: int, say: Callable[[str], None]) -> None:
        self._name, self._total, self._done, self._say = name, total, done, say
        self._begun = self._said = time.monotonic()
        self._new = self._tokens = 0
        self._said_rows = -1

    def advance(self, rows: int, tokens: int = 0) -> None:
        """Count more rows."""
        self._new += rows
        self._tokens += tokens
        if time.monotonic() - self._said >= PLAIN_SECONDS:
            self._said = time.monotonic()
            self.print()

    def finish(self) -> None:
        """Print the last line, unless it was just printed."""
        if self._said_rows != self._new or not self._new:
            self.print()

    def print(self) -> None:
        """Print one line: how far, how fast, how long to go."""
        seconds = max(time.monotonic() - self._begun, 1e-9)
        count = self._done + self._new
        self._said_rows = self._new
        parts = [f"{self._name}: {count:,}" + (f" of {self._total:,}" if self._total else "") + " rows"]
        parts.append(f"{self._new / seconds:,.0f} rows/s")
        if self._tokens:
            parts.append(f"{self._tokens / seconds:,.0f} tokens/s")
        if self._total and 0 < count < self._total and self._new:
            parts.append(f"{(self._total - count) * seconds / self._new:,.0f} s left")
        self._say(", ".join(parts))


class PlainReporter:
    """Lines of text, for logs and pipes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    @contextmanager
    def step(self, name: str, total: int | None, done: int = 0) -> Iterator[Step]:
        """Begin a stage."""
        if done:
            self._say(f"{name}: {done:,} of {total or 0:,} rows were measured before")
        step = PlainStep(name, total, done, self._say)
        yield step
        step.finish()

    def note(self, text: str) -> None:
        """Print a line for the user."""
        self._say(f"note: {text}")


class LiveStep:
    """Advances a bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task
        self._begun = time.monotonic()
        self._rows = self._tokens = 0

    def advance(self, rows: int, tokens: int = 0) -> None:
        """Count more rows."""
        self._rows += rows
        self._tokens += tokens
        seconds = max(time.monotonic() - self._begun, 1e-9)
        speed = f"{self._rows / seconds:,.0f} rows/s"
        speed += f" {self._tokens / seconds:,.0f} tokens/s" if self._tokens else ""
        self._progress.update(self._task, advance=rows, speed=speed)


class LiveReporter:
    """Bars with rows/s, tokens/s and the time left."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def step(self, name: str, total: int | None, done: int = 0) -> AbstractContextManager[Step]:
        """Begin a stage."""
        return self._bar(name, total, done)

    @contextmanager
    def _bar(self, name: str, total: int | None, done: int) -> Iterator[Step]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = ("[bold]{task.description}", BarColumn(), MofNCompleteColumn(), "{task.fields[speed]}")
        shown = [TextColumn(c) if isinstance(c, str) else c for c in columns]
        with Progress(*shown, TimeRemainingColumn(), console=self._console) as progress:
            yield LiveStep(progress, progress.add_task(_escape(name), total=total, completed=done, speed=""))

    def note(self, text: str) -> None:
        """Print a line for the user."""
        self._console.print(f"note: {text}", markup=False)


def say(lines: Iterable[Line]) -> None:
    """Print what a command says."""
    out = stdout()
    for line in lines:
        if isinstance(line, Grid):
            out.print(_table(line))
        elif isinstance(line, Next):
            out.print(f"[dim]next:[/] {_escape(line.command)}")
        else:
            text = _text(line, out.is_terminal and not out.no_color)
            out.print(text, soft_wrap=not out.is_terminal or _has_long_words(text, out.width))


def _text(line: str | Strong | Marked, coloured: bool) -> Text:
    from rich.text import Text

    if isinstance(line, Marked):
        return _marked(line, coloured)
    parts = [(line.text, "bold"), (line.rest, "")] if isinstance(line, Strong) else [(line, "")]
    return Text.assemble(*((text.translate(CONTROLS), style) for text, style in parts))


def _has_long_words(text: Text, width: int) -> bool:
    """Whether a word is wider than the terminal, which then breaks it: a line feed within a path cannot be copied."""
    return any(len(word) >= width for word in text.plain.split())


def _marked(line: Marked, coloured: bool) -> Text:
    """A text whose marked pieces have a colour, or are in brackets as `git diff --word-diff` writes them."""
    from rich.text import Text

    left, right = BRACKETS[line.side]
    made = Text()
    for differs, raw in line.pieces:
        text = raw.translate(CONTROLS)
        if not differs or coloured:
            made.append(text, style=STYLES[line.side] if differs else "")
        else:
            made.append(f"{left}{text}{right}")
    return made


def _table(grid: Grid) -> Any:
    """A rich table: text left-aligned, numbers right-aligned."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    numeric = [all(isinstance(row[i], int | float | None) for row in grid.rows) for i in range(len(grid.header))]
    for name, is_number in zip(grid.header, numeric, strict=True):
        made.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in grid.rows:
        made.add_row(*(_escape(cell(value)) for value in row))
    return made
