"""The command line: one file a command. The one place where errors become exit codes.

Importing it imports next to nothing, so that Ctrl-C is answered from the start.
"""

from __future__ import annotations

import gc
import sys

from curate.cli.stopping import Stop, listening, was_kept
from curate.errors import CurateError

GC_THRESHOLDS = 50_000, 20, 50


def main() -> None:
    """Run the command line.

    Exit codes: 0; 2 for errors that the user can fix; 130 after Ctrl-C and 143 after a termination signal, with
    what was measured kept; 1 for a defect of ours, with its traceback.
    """
    with listening() as stop:
        try:
            try:
                _command(stop)
            finally:
                stop.ended = True
        except BaseException as error:
            if stop.number is None or (isinstance(error, SystemExit) and not error.code):
                raise
            kept = " What was done is kept; rerun the same command to resume." if was_kept(error) else ""
            sys.stderr.write(f"\nStopped.{kept}\n")
            sys.exit(128 + stop.number)


def _command(stop: Stop) -> None:
    # Rows come as many thousand small objects, none of them in a cycle: look for cycles less often than by default.
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        sys.exit(_run())
    except CurateError as error:
        if stop.number is not None:
            raise
        from curate.cli.console import print_error

        print_error(error)
        sys.exit(2)


def _run() -> int:
    """The exit code; what typer refuses is an error like any other."""
    from curate.cli.app import app
    from curate.cli.usage import UsageError, as_error

    try:
        return int(app(prog_name="curate", standalone_mode=False) or 0)
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            return 2  # the help was printed
        raise as_error(error) from error
