"""Text that the user keeps in a file: a recipe, a template, metrics."""

from __future__ import annotations

from pathlib import Path


def read_text(path: Path) -> str:
    """The text of a regular file.

    Raises:
        OSError: there is no such file, or it is not a regular one: opening a named pipe may never return.
        UnicodeDecodeError: it is not UTF-8.
    """
    _check_regular(path)
    return path.read_text(encoding="utf-8")


def read_bytes(path: Path) -> bytes:
    """The content of a regular file, whatever its encoding.

    Raises:
        OSError: there is no such file, or it is not a regular one.
    """
    _check_regular(path)
    return path.read_bytes()


def _check_regular(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file")
