"""Ctrl-C and termination signals: an exception unwinds the run, and is raised again if it gets lost.

Python drops an exception that a signal handler raises inside a `__del__`, a weak reference's callback or the garbage
collector, and some libraries catch every exception. So a timer checks, until the run has ended, whether it is ending.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from curate.errors import KEPT

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SOON, AGAIN = 0.001, 0.2
"""Seconds until a lost exception is raised again: if Python reports the loss, and if nobody does."""


class Stopped(BaseException):
    """The user or the system asked the run to stop. Not a KeyboardInterrupt, which click would turn into `Aborted!`."""


class Stop:
    """Whether the run was asked to stop.

    Attributes:
        number: the first signal's number; None if there was none.
        ended: whether the run has ended; nothing is raised after that.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.ended = False

    def ask(self, number: int, _: object) -> None:
        """Signal handler: unwind the run."""
        if self.ended:
            return
        self.number = self.number or number
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
        raise Stopped

    def _look(self, *_: object) -> None:
        """Timer handler: unwind the run, unless it is already unwinding."""
        if not self.ended and not any(isinstance(error, Stopped) for error in _chain(sys.exception())):
            raise Stopped

    def lost(self, what: Any) -> None:
        """Python's hook for exceptions that it drops."""
        if not isinstance(what.exc_value, Stopped):
            sys.__unraisablehook__(what)
        elif self.number is not None:
            signal.setitimer(signal.ITIMER_REAL, SOON, AGAIN)


@contextmanager
def listening() -> Iterator[Stop]:
    """Handle both signals within this block."""
    stop = Stop()
    before = [signal.signal(number, stop.ask) for number in SIGNALS]
    hook, sys.unraisablehook = sys.unraisablehook, stop.lost
    try:
        yield stop
    finally:
        sys.unraisablehook = hook
        if stop.number is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            before = [signal.SIG_DFL] * len(SIGNALS)  # the process is exiting; another signal need not wait for that
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)


def was_kept(error: BaseException) -> bool:
    """Whether unfinished work was kept when this exception, or one that it followed, was raised."""
    return any(KEPT in getattr(one, "__notes__", ()) for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__context__
