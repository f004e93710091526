"""Where an output may be written, and the files next to it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.errors import StoreError

ELSEWHERE = "Choose another place with -o."
LONGEST_NAME = 255
"""Maximum bytes in a file name, on every common file system."""
DERIVED = (".{}.replaced", ".{}.work.done", "{}.rejects.parquet", ".{}.rejects.parquet.replaced")
"""The longest name derived from the output's name."""


@dataclass(frozen=True)
class Kind:
    """A kind of output, and how to tell an earlier one from anything else.

    Attributes:
        check_name: raises a StoreError if a path cannot be one, whatever exists there.
        foreign: the part of an existing file or folder that this tool did not write; None if it wrote everything.
        stays: whether it is a folder to write into, which is never replaced as a whole.
    """

    check_name: Callable[[Path], None]
    foreign: Callable[[Path], str | None]
    stays: bool = False


@dataclass(frozen=True)
class Place:
    """A path that a command will write, and the kind of output it will hold."""

    path: Path
    kind: Kind


def check_place(place: Place, inputs: Sequence[Path] = ()) -> None:
    """Refuse a bad place before any work is done; creates nothing and opens nothing for writing.

    Raises:
        StoreError: the path has the wrong file type; something that this tool did not write exists there, be it a file,
            a folder, a link or a device; it is an input; or the folder cannot be written.
    """
    path = place.path
    if not place.kind.stays:
        _check_name(path)
    place.kind.check_name(path)
    if any(path.resolve() in (one.resolve(), *one.resolve().parents) for one in inputs):
        raise StoreError("The output would replace its own input.", str(path), ELSEWHERE)
    check_nothing_foreign(place)
    existing = path if place.kind.stays and path.exists() else _nearest_folder(path)
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise StoreError("The output folder cannot be written.", str(existing), ELSEWHERE)


def check_nothing_foreign(place: Place) -> None:
    """Refuse to replace what this tool did not write.

    Raises:
        StoreError: something else exists there.
    """
    path = place.path
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISLNK(mode) and not (place.kind.stays and path.is_dir()):
        raise StoreError("The output path is a symbolic link.", str(path), "Name the path that it points to.")
    if not (path.is_file() or path.is_dir()):
        raise StoreError("The output path is neither a file nor a folder.", str(path), ELSEWHERE)
    foreign = place.kind.foreign(path)
    if foreign is None:
        return
    if path.is_file():
        what = "The output path is a file that curate did not write."
    else:
        what = f"The output folder contains something else: {foreign}."
    raise StoreError(what, str(path), f"Move it away. {ELSEWHERE}")


def check_space(out: Path, needed: float) -> None:
    """Refuse to start if the disk is sure to fill up.

    Args:
        out: the output.
        needed: bytes that will be written before anything is freed.

    Raises:
        StoreError: less space is free.
    """
    folder = _nearest_folder(out)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"The disk has {free / 2**20:,.1f} MiB free; this needs about {needed / 2**20:,.1f} MiB.",
            str(folder),
            "Free some space, or choose another place with -o.",
        )


def check_table_name(path: Path) -> None:
    """Refuse any file type but Parquet.

    Raises:
        StoreError: another file type.
    """
    if path.suffix and path.suffix != ".parquet":
        hint = "Name a .parquet file, or a folder (no suffix)."
        raise StoreError(f"The output is Parquet, not {path.suffix}.", str(path), hint)
    if path.suffix == ".parquet" and path.is_dir():
        raise StoreError("The output is a folder.", str(path), "Name a file, or a folder without .parquet.")


def next_to(out: Path, suffix: str) -> Path:
    """A file next to the output: `pairs.parquet` -> `pairs.rejects.parquet`, `pairs` -> `pairs.rejects.parquet`."""
    stem = out.name.removesuffix(".parquet")
    return out.with_name(f"{stem}.{suffix}.parquet")


def _check_name(path: Path) -> None:
    if path.name in ("", ".."):
        raise StoreError("The output has no name of its own.", str(path), "Name a file or a folder in it.")
    longest = max(len(os.fsencode(form.format(path.name.removesuffix(".parquet")))) for form in DERIVED)
    if longest > LONGEST_NAME:
        room = LONGEST_NAME - longest + len(os.fsencode(path.name))
        raise StoreError(
            f"The output's name is {len(os.fsencode(path.name))} bytes long; the limit is {room}.",
            str(path.parent / f"{path.name[:40]}..."),
            "Choose a shorter name with -o.",
        )


def _nearest_folder(path: Path) -> Path:
    parent = path.absolute().parent
    return next(folder for folder in (parent, *parent.parents) if folder.exists())
