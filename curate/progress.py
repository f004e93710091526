"""How a running job reports its progress."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol


class Step(Protocol):
    """One stage of a run, such as the scoring by one model."""

    def advance(self, rows: int, tokens: int = 0) -> None:
        """Report that this many more rows (and tokens) are done."""


class Reporter(Protocol):
    """Receives progress and notes; how they are shown is not the job's business."""

    def step(self, name: str, total: int | None, done: int = 0, unit: str = "rows") -> AbstractContextManager[Step]:
        """Begin a stage: `total` in all if known, `done` of them already finished.

        Args:
            name: of the stage.
            total: how many there are.
            done: how many were finished before.
            unit: what is counted; nothing is where it is empty, as while a model loads.
        """

    def note(self, text: str) -> None:
        """Report something that the user should know, in one line."""


class Silent:
    """A reporter that shows nothing: for the Python interface and tests."""

    def step(self, name: str, total: int | None, done: int = 0, unit: str = "rows") -> AbstractContextManager[Step]:
        """Ignore a stage."""
        return nullcontext(self)

    def advance(self, rows: int, tokens: int = 0) -> None:
        """Ignore progress."""

    def note(self, text: str) -> None:
        """Ignore a note."""


@dataclass(frozen=True)
class Numbered:
    """A reporter of one of several equal stages: its name says which.

    Attributes:
        reporter: shows it.
        place: counted from 1.
        count: how many there are.
    """

    reporter: Reporter
    place: int
    count: int

    def step(self, name: str, total: int | None, done: int = 0, unit: str = "rows") -> AbstractContextManager[Step]:
        """Begin the stage."""
        which = f" ({self.place} of {self.count})" if self.count > 1 else ""
        return self.reporter.step(f"{name}{which}", total, done, unit)

    def note(self, text: str) -> None:
        """Report something."""
        self.reporter.note(text)
