"""Outputs put in place: kept from other runs while one writes, written aside, swapped in when whole.

A run that was stopped, however rudely, leaves at an output what was there before, or the new output, and next to it
only names of ours (`.OUT.aside`, `.OUT.replaced`, `.OUT.lock`), which the next run there removes.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from curate.errors import StoreError
from curate.storage.disk import disk_errors
from curate.storage.places import Place, beside, check_nothing_foreign, check_place
from curate.storage.workspace import finished_work

EXCHANGE = 2
"""RENAME_EXCHANGE of Linux: the two names change places in one step."""
AT_WORKING_FOLDER = -100
CANNOT_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


@contextmanager
def claimed(places: Sequence[Place], inputs: Sequence[Path]) -> Iterator[None]:
    """Make sure that some places may be written, and hold them until the block ends.

    Raises:
        StoreError: a place may not be written, or another run is writing it.
    """
    for place in places:
        check_place(place, inputs)
    rejects = {beside(place.path, "rejects") for place in places}
    with held([place.path for place in places if place.path not in rejects]):
        yield


@contextmanager
def held(outs: Sequence[Path]) -> Iterator[None]:
    """Keep other runs from some outputs and their rejects until the block ends, and clear what stopped runs left there.

    Folders that were made for it are removed again where the block fails and nothing is in them.

    Raises:
        StoreError: another run is writing there, or the disk refuses.
    """
    made: list[Path] = []
    with ExitStack() as locks:
        try:
            for path in sorted({path for out in outs for path in (out, beside(out, "rejects"))}):
                with disk_errors(path):
                    made += _make_folders(path.absolute().parent)
                    locks.enter_context(_locked(path))
                    clear_leftovers(path)
            yield
        except BaseException:
            locks.close()
            for folder in reversed(made):
                with suppress(OSError):
                    folder.rmdir()
            raise


@contextmanager
def written_aside(place: Place, before: Callable[[], object] = lambda: None) -> Iterator[Path]:
    """A path to write an output to; it takes its place when the block ends, what was there before is kept until then.

    Args:
        place: of the output.
        before: called when the output is whole and may be put in place: puts what belongs to it in place first.

    Raises:
        StoreError: something that this tool did not write came into the place meanwhile, or the disk refuses.
    """
    out = place.path
    aside = _next_to(out, "aside")
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(out)
        try:
            yield aside
            check_nothing_foreign(place)
            before()
        except BaseException:
            with suppress(OSError):
                _remove(aside)
            raise
        _put(aside, out)


def clear_leftovers(out: Path) -> None:
    """Remove what a stopped run left next to an output, and bring back an earlier output that it had moved away."""
    replaced = _next_to(out, "replaced")
    if replaced.exists() and not out.exists():
        replaced.rename(out)
    for leftover in (replaced, _next_to(out, "aside"), finished_work(out)):
        _remove(leftover)


def exchange(one: Path, other: Path) -> bool:
    """Let two existing paths of one file system change places in one step; False where the system cannot.

    Raises:
        OSError: it can, and will not.
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(AT_WORKING_FOLDER, os.fsencode(one), AT_WORKING_FOLDER, os.fsencode(other), EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in CANNOT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def _put(new: Path, out: Path) -> None:
    if not (new.is_dir() and out.exists()):
        new.replace(out)
    elif exchange(new, out):
        _remove(new)
    else:
        replaced = _next_to(out, "replaced")
        out.rename(replaced)
        new.rename(out)
        _remove(replaced)
    _sync(out.absolute().parent)


def _sync(folder: Path) -> None:
    """Make sure that the names in a folder are on the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the lock on an output; its file is gone afterwards.

    Only who holds the lock removes the file, and whoever gets a lock on a file that has been removed takes another: so
    two never hold it, and none is left behind.

    Raises:
        StoreError: another run holds it.
    """
    path = _next_to(out, "lock")
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            _take(number, out)
            held = _is_at(path, number)
        except BaseException:
            os.close(number)
            raise
        if held:
            break
        os.close(number)
    try:
        yield
    finally:
        with suppress(OSError):
            if _is_at(path, number):
                path.unlink()
        os.close(number)


def _is_at(path: Path, number: int) -> bool:
    """Whether an open file is the one at this path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(number))
    except FileNotFoundError:
        return False


def _take(number: int, out: Path) -> None:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreError(
            "Another run is writing this output.", str(out), "Wait for it, or choose another place with -o."
        ) from error


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; returns those that were not there."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


def _next_to(out: Path, word: str) -> Path:
    return out.with_name(f".{out.name}.{word}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
