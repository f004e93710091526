"""What the user sees of results: errors, and the lines and tables of summaries."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError
from curate.lines import Grid, Line, Marked, Next, Strong, cell

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

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


def print_error(error: CurateError) -> None:
    """What, where, what to try."""
    from rich.text import Text

    console = stderr()
    for label, text in (("error:", error.what), ("where:", error.where), ("try:", error.hint)):
        style = "bold red" if label == "error:" else "bold"
        put(Text.assemble((f"{label:>6}", style), " ", " ".join(text.split())), console)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def say(lines: Iterable[Line], out: Console | None = None) -> None:
    """Print what a command says, by default to standard output."""
    out = out or stdout()
    for line in lines:
        if isinstance(line, Grid):
            out.print(_table(line))
        elif isinstance(line, Next):
            out.print(f"[dim]next:[/] {_escape(line.command)}")
        else:
            put(_text(line, out.is_terminal and not out.no_color), out)


def say_json(plain: Any) -> None:
    """Print plain values as one line of JSON to standard output, as they are: neither wrapped nor coloured."""
    sys.stdout.write(json.dumps(plain, ensure_ascii=False) + "\n")


def _text(line: str | Strong | Marked, coloured: bool) -> Text:
    from rich.text import Text

    if isinstance(line, Marked):
        return _marked(line, coloured)
    parts = [(line.text, "bold"), (line.rest, "")] if isinstance(line, Strong) else [(line, "")]
    return Text.assemble(*((text.translate(CONTROLS), style) for text, style in parts))


def put(text: Text, console: Console) -> None:
    """Print a text, on a terminal with its lines broken between words.

    Where a word is wider than the terminal, the terminal breaks it: a path with a line feed in it cannot be copied.
    """
    long = any(len(word) >= console.width for word in text.plain.split())
    console.print(text, soft_wrap=long or not console.is_terminal)


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
