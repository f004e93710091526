"""Text that the user wrote in a file of its own: a recipe, a template."""

from __future__ import annotations

from pathlib import Path


def read_text(path: Path) -> str:
    """The text of a regular file.

    Raises:
        OSError: there is none, or something else is there: opening a named pipe may never return.
        UnicodeDecodeError: it is not UTF-8.
    """
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file")
    return path.read_text(encoding="utf-8")
