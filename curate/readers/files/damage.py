"""The only place that turns what a file reader raises into an error that the user can act on."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from curate.errors import InputError, first_line


@contextmanager
def readable(name: object) -> Iterator[None]:
    """Name the file in any error that stops reading it.

    Args:
        name: path of the file, or name of the data set.

    Raises:
        InputError: the file is damaged, is not of the format its name says, or cannot be read.
    """
    try:
        yield
    except InputError as error:
        where = error.where if error.where.startswith(str(name)) else f"{name}: {error.where}"
        raise InputError(error.what, where, error.hint) from error
    except PermissionError as error:
        raise InputError("The file may not be read.", str(name), "Change its permissions, or copy it.") from error
    except (OSError, EOFError, pa.ArrowException, ValueError, OverflowError, csv.Error) as error:
        raise InputError(
            f"The file cannot be read: {first_line(error)}",
            str(name),
            "Check that it is complete, and that its format matches its name.",
        ) from error


def sound(pieces: Iterable[Any]) -> Iterator[Any]:
    """The same record batches or tables, each one validated before anything reads it.

    Arrow trusts the offsets and the text in a file: without this check, a damaged file can crash the process.

    Raises:
        pa.ArrowInvalid: an offset points outside its data, text is not UTF-8, or a dictionary lacks a value.
    """
    for piece in pieces:
        piece.validate(full=True)
        yield piece
