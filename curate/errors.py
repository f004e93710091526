"""Every error that `curate` raises on purpose.

CurateError                  what the user can mend; printed as three lines, exit code 2
  InputError                 a file, a column or a row of the data
  SettingsError              an option, a metric parameter, a recipe
  ModelError                 a model or a tokenizer that cannot be used
  MissingExtra               an optional package that is not installed
  StoreError                 the output folder, unfinished work, disk space
RowError                     one bad row; ends in the rejects file, never stops a run
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

KEPT = "What was done is kept."
"""A note on an exception that left unfinished work to be resumed."""


class CurateError(Exception):
    """An error that the user can mend.

    Args:
        what: what went wrong, one sentence.
        where: the file, option, column or model that it concerns.
        hint: what to try next.
    """

    def __init__(self, what: str, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.where, self.hint) if line)

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors travel between processes, and not every kind is made from these three.
        return _again, (type(self), self.what, self.where, self.hint)


def _again(kind: type[CurateError], what: str, where: str, hint: str) -> CurateError:
    error = kind.__new__(kind)
    CurateError.__init__(error, what, where, hint)
    return error


class InputError(CurateError):
    """The data cannot be read, or lacks what the command needs."""


class SettingsError(CurateError):
    """An option or a parameter has no meaning, or contradicts another."""


class ModelError(CurateError):
    """A model or a tokenizer cannot be loaded, or cannot do what is asked of it."""


class StoreError(CurateError):
    """The output place or the unfinished work beside it cannot be used."""


class MissingExtra(CurateError):
    """An optional package is not installed.

    Args:
        package: the package that could not be imported.
        extra: the extra of this distribution that installs it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"The package {package} is not installed.",
            f"It belongs to the extra [{extra}].",
            f"Install it with: pip install 'curate-preferences[{extra}]'",
        )


class RowError(ValueError):
    """One row cannot be used; the message is the reason written to the rejects file."""


def first_line(error: BaseException) -> str:
    """The first line of what another library says; the error's kind where it says nothing."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__


def last_line(error: BaseException) -> str:
    """The last line of what an exception says; nothing where it says nothing."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the closest known words, or all of them when none is close."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=3, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Known: {', '.join(choices)}." if choices else ""
