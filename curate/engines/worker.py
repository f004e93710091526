"""One of several processes that measure batches: it opens its own copy of the model, and answers batch by batch.

What goes through the pipe. To the worker: its scorer, then batches. From it: `Opened`, then a `Scored` for each batch
in order of arrival; or `Failed`, after which it exits. A closed pipe means that nothing more is wanted.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from curate.errors import CurateError
from curate.scorers import Cut, Shares


@dataclass(frozen=True)
class Opened:
    """The model is open: what the user should know, how it wants rows cut, and its GPU where kinds may differ."""

    notes: list[str]
    cut: Cut
    gpu: str = ""


@dataclass(frozen=True)
class Failed:
    """What went wrong; `again` if another process may well succeed."""

    error: BaseException
    again: bool


def serve(connection: Connection) -> None:
    """Measure what arrives until the pipe is closed: a worker's whole life."""
    # Started with both signals blocked. Ctrl-C reaches every process of a terminal, but only the parent decides.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    inbox: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
    try:
        scorer: Shares = _taken(inbox)
        notes = scorer.open()
        _say(connection, Opened(notes, scorer.cut()))
        while True:
            _say(connection, scorer.measure(_taken(inbox)))
    except Exception as error:
        _say(connection, Failed(portable(error), again=is_device_fault(error)))


def _listen(connection: Connection, inbox: SimpleQueue[Any]) -> None:
    """Receive messages at once, even while a batch is measured; exit if the parent is gone."""
    while True:
        try:
            inbox.put(connection.recv())
        except (EOFError, OSError):
            os._exit(0)
        except Exception as error:
            inbox.put(error)


def _taken(inbox: SimpleQueue[Any]) -> Any:
    found = inbox.get()
    if isinstance(found, Exception):
        raise found
    return found


def _say(connection: Connection, message: Any) -> None:
    data = pickle.dumps(message)
    try:
        connection.send_bytes(data)
    except OSError:
        os._exit(0)


def is_device_fault(error: BaseException) -> bool:
    """Whether a GPU error left this process unable to use the GPU; running out of its memory does not."""
    return type(error).__name__ == "AcceleratorError" or (
        isinstance(error, RuntimeError) and "CUDA error" in str(error)
    )


def portable(error: Exception) -> BaseException:
    """The error in a form that another process can raise: a defect keeps the traceback from here."""
    if not isinstance(error, CurateError):
        error.add_note("In a process of its own:\n" + "".join(traceback.format_exception(error)))
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = None
    if type(copy) is type(error):
        return error
    return RuntimeError("".join(traceback.format_exception(error)))
