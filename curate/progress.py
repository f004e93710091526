"""What a running job tells whoever watches it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Step(Protocol):
    """One stage of a run, such as the scoring by one model."""

    def advance(self, rows: int, tokens: int = 0) -> None:
        """Tell that so many more rows (and tokens) are done."""


class Reporter(Protocol):
    """Told what goes on; how it is shown is not the job's business."""

    def step(self, name: str, total: int | None, done: int = 0) -> AbstractContextManager[Step]:
        """A stage begins: `total` rows in all where known, of which `done` were found finished."""

    def note(self, text: str) -> None:
        """Something that the user should know, one line."""


class Silent:
    """A reporter that shows nothing: for the Python interface and tests."""

    def step(self, name: str, total: int | None, done: int = 0) -> AbstractContextManager[Step]:
        """A stage whose progress nobody watches."""
        return nullcontext(self)

    def advance(self, rows: int, tokens: int = 0) -> None:
        """Nobody watches."""

    def note(self, text: str) -> None:
        """Nobody reads."""
