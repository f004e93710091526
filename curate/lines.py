"""The lines and tables in which a command says what it did; the command line prints them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Strong:
    """A line that stands out, as a heading does; `rest` follows it plainly."""

    text: str
    rest: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: text on the left, numbers on the right."""

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Marked:
    """One side of a pair: pieces of its text, those that are not in the other side marked."""

    side: Literal["chosen", "rejected"]
    pieces: Sequence[tuple[bool, str]]


@dataclass(frozen=True)
class Next:
    """A command to type next; never broken over lines, so that it can be copied."""

    command: str


Line = str | Strong | Grid | Marked | Next
Summary = Iterator[Line]


def quoted(path: Path) -> str:
    """A path as it is typed in a shell."""
    return shlex.quote(str(path))


def cell(value: Any) -> str:
    """A value as shown in a table: four significant digits."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def counted(number: int, what: str) -> str:
    """`1 pair`, `2,000 pairs`.

    Args:
        number: how many.
        what: one of them; its plural ends in s.
    """
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def percent(share: float) -> str:
    """A share from 0 to 1 with one decimal; 0% and 100% only for none and all."""
    if share in (0, 1):
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"
