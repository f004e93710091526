"""Ctrl-C and termination signals: an exception unwinds the run, and is raised again where it gets lost.

Python drops an exception that a signal's handler raises inside a `__del__`, a weak reference's callback or the garbage
collector, and some libraries catch whatever is raised. So a timer looks, until the run has ended, whether it is ending.
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
"""Seconds until a lost exception is raised again: where Python tells of it, and where nobody does."""


class Stopped(BaseException):
    """The user or the system asked the run to stop. No KeyboardInterrupt, which click would turn into `Aborted!`."""


class Stop:
    """Whether the run was asked to stop.

    Attributes:
        number: the first signal's; None while there was none.
        ended: whether the run has ended; nothing is raised any more then.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.ended = False

    def ask(self, number: int, _: object) -> None:
        """A signal's handler: unwind the run."""
        if self.ended:
            return
        self.number = self.number or number
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
        raise Stopped

    def _look(self, *_: object) -> None:
        """The timer's handler: unwind the run, unless it is being unwound."""
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
    """Take both signals until this ends."""
    stop = Stop()
    before = [signal.signal(number, stop.ask) for number in SIGNALS]
    hook, sys.unraisablehook = sys.unraisablehook, stop.lost
    try:
        yield stop
    finally:
        sys.unraisablehook = hook
        if stop.number is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            before = [signal.SIG_DFL] * len(SIGNALS)  # the process ends; a further signal need not wait for that
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)


def was_kept(error: BaseException) -> bool:
    """Whether unfinished work was kept on the way of this exception, or of one that it followed."""
    return any(KEPT in getattr(one, "__notes__", ()) for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__context__
