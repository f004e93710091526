"""How a running job reports its progress."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Step(Protocol):
    """One stage of a run, such as the scoring by one model."""

    def advance(self, rows: int, tokens: int = 0) -> None:
        """Report that this many more rows (and tokens) are done."""


class Reporter(Protocol):
    """Receives progress and notes; how they are shown is not the job's business."""

    def step(self, name: str, total: int | None, done: int = 0) -> AbstractContextManager[Step]:
        """Begin a stage: `total` rows in all if known, `done` of them already finished."""

    def note(self, text: str) -> None:
        """Report something that the user should know, in one line."""


class Silent:
    """A reporter that shows nothing: for the Python interface and tests."""

    def step(self, name: str, total: int | None, done: int = 0) -> AbstractContextManager[Step]:
        """Ignore a stage."""
        return nullcontext(self)

    def advance(self, rows: int, tokens: int = 0) -> None:
        """Ignore progress."""

    def note(self, text: str) -> None:
        """Ignore a note."""
