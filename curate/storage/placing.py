"""Put outputs in place: lock them against other runs, write to temporary files, and swap when complete.

However a run is stopped, an output is either the old one or the new one, and next to it there are only names of ours
(`.OUT.aside`, `.OUT.replaced`, `.OUT.lock`), which the next run removes.
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
from curate.storage.places import Place, check_nothing_foreign, check_place, next_to
from curate.storage.workspace import finished_work

EXCHANGE = 2
"""RENAME_EXCHANGE on Linux: swaps two names atomically."""
AT_WORKING_FOLDER = -100
CANNOT_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


@contextmanager
def claimed(places: Sequence[Place], inputs: Sequence[Path]) -> Iterator[None]:
    """Check that these places may be written, and lock them until the block ends.

    Raises:
        StoreError: a place may not be written, or another run is writing it.
    """
    for place in places:
        check_place(place, inputs)
    rejects = {next_to(place.path, "rejects") for place in places}
    with held([place.path for place in places if place.path not in rejects]):
        yield


@contextmanager
def held(outs: Sequence[Path]) -> Iterator[None]:
    """Lock some outputs and their rejects until the block ends, and clear what interrupted runs left there.

    Folders created for this are removed again if the block fails and they are empty.

    Raises:
        StoreError: another run is writing there, or the disk reports an error.
    """
    made: list[Path] = []
    with ExitStack() as locks:
        try:
            for path in sorted({path for out in outs for path in (out, next_to(out, "rejects"))}):
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
    """A temporary path for an output; it is put in place when the block ends, and the old output stays until then.

    Args:
        place: of the output.
        before: called when the output is complete, to put accompanying files in place before it.

    Raises:
        StoreError: a file that this tool did not write appeared there meanwhile, or the disk reports an error.
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
    """Remove what an interrupted run left next to an output, and restore an earlier output that it had moved away."""
    replaced = _next_to(out, "replaced")
    if replaced.exists() and not out.exists():
        replaced.rename(out)
    for leftover in (replaced, _next_to(out, "aside"), finished_work(out)):
        _remove(leftover)


def exchange(one: Path, other: Path) -> bool:
    """Swap two existing paths of one file system atomically; False if the system cannot.

    Raises:
        OSError: the system can, but the swap failed.
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
    """Flush the names in a folder to disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the lock on an output; its file is removed afterwards.

    Only the lock's holder removes the file, and whoever locks a file that has been removed tries again with a new one:
    so no two hold the lock, and no file is left behind.

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
    """Whether an open file is still the one at this path."""
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
    """Create a folder and its parents; returns those that did not exist."""
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
