"""Unfinished work on disk: what was measured so far, keyed by row, beside the output until that is complete.

Everything is written aside and renamed, so whatever has its final name is whole. A run that was stopped, however
rudely, finds its shards again; a run with other settings or other data is refused.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import CurateError, StoreError

COMPRESSION = "zstd"
HELD_BYTES = 64 * 2**20
LOCK, IDENTITY, MENDABLE = "lock", "identity", "mendable"
STAGED = ("rows", "records", "rejects", "staged.json")


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table aside and rename it; on the disk for good when this returns.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    aside = path.with_name(path.name + ".aside")
    with disk_errors(path):
        with parquet_writer(aside, table.schema) as writer:
            writer.write_table(table)
        aside.replace(path)


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema, **options: Any) -> Iterator[pq.ParquetWriter]:
    """A writer of a Parquet file, which is on the disk for good when this ends.

    It opens the file itself: where an interruption leaves a writer open, it is closed when it is collected, and would
    complain with a traceback if its file were closed by then.
    """
    with pq.ParquetWriter(path, schema, compression=COMPRESSION, **options) as writer:
        yield writer
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into an error that the user can mend.

    Raises:
        StoreError: no space, no permission, a read-only file system, or no such folder.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                "The disk is full.", str(path.parent), "Free some space and run the same command: it goes on from here."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST):
            raise StoreError(
                f"The output cannot be written: {error.strerror}.", str(path), "Choose another place with -o."
            ) from error
        raise


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """A Parquet file of ours, or some of its columns; without pyarrow's data sets, which take a while to import."""
    with pq.ParquetFile(path) as file:
        return file.read(columns)


class Shards:
    """Tables of one kind in order of arrival; each has a whole number of batches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: tuple[Path, pa.Table] | None = None
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.aside"):
            leftover.unlink()
        self._next = max((int(path.stem.removeprefix("shard-")) + 1 for path in self.paths()), default=0)

    def paths(self) -> list[Path]:
        """The finished shards, oldest first."""
        return sorted(self.folder.glob("shard-*.parquet"))

    def append(self, table: pa.Table, *, hold: bool = False) -> None:
        """Add a shard.

        Args:
            table: its rows.
            hold: keep it in memory too until the next one comes, if it is small: data of one shard is then not read
                again. Only for types that Parquet gives back as they were.
        """
        path = self.folder / f"shard-{self._next:08d}.parquet"
        write_table(table, path)
        self._held = (path, table) if hold and table.nbytes <= HELD_BYTES else None
        self._next += 1

    def table(self, path: Path, columns: list[str] | None = None) -> pa.Table:
        """The shard at this path, or some of its columns."""
        if self._held is None or self._held[0] != path:
            return read_table(path, columns)
        held = self._held[1]
        return held if columns is None else held.select(columns)

    def tables(self, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """The shards one after another."""
        for path in self.paths():
            yield self.table(path, columns)

    def read(self, schema: pa.Schema, columns: list[str] | None = None) -> pa.Table:
        """All shards as one table; an empty one of this schema when there is none."""
        tables = list(self.tables(columns))
        return pa.concat_tables(tables) if tables else schema.empty_table()

    def put_notes(self, notes: list[str]) -> None:
        """Keep what is to be said of how these shards were made."""
        with disk_errors(self.folder):
            (self.folder / "notes.json").write_text(json.dumps(notes))

    def notes(self) -> list[str]:
        """What was kept by `put_notes`."""
        path = self.folder / "notes.json"
        found: list[str] = json.loads(path.read_text()) if path.exists() else []
        return found

    def clear(self) -> None:
        """Forget all shards."""
        for path in self.paths():
            path.unlink()
        self._next, self._held = 0, None


def work_folder(out: Path) -> Path:
    """Where the unfinished work of an output is."""
    return out.with_name(out.name + ".work")


def held_identity(out: Path) -> Any:
    """What the unfinished work of an output is of; None where there is none, or none that can be read."""
    try:
        return json.loads((work_folder(out) / f"{IDENTITY}.json").read_text())
    except (OSError, ValueError):
        return None


class Workspace:
    """The folder of unfinished work beside an output, held by one run at a time.

    Use as a context manager; on leaving it is kept, unless `finish` was called.

    Args:
        out: the output file or folder.
        identity: everything that decides the result; a folder left by another is refused. Its entry `staged_from` says
            what decides the staged rows, its entry `measured_with` per shard folder what decides those shards: after an
            error that the user was told to mend, what still holds by these is kept for the mended command.
        fresh: start over instead.
    """

    def __init__(self, out: Path, identity: Mapping[str, Any], *, fresh: bool = False) -> None:
        self.out = out
        self.folder = work_folder(out)
        self._identity = json.loads(json.dumps(identity, sort_keys=True, default=str))
        self._fresh = fresh
        self._lock: TextIO | None = None

    def __enter__(self) -> Workspace:
        with disk_errors(self.out):
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self.folder.mkdir(exist_ok=True)
            self._refuse_foreign()
            self._lock = (self.folder / LOCK).open("w")
        try:
            self._take_lock()
            self._settle()
        except BaseException:
            self._lock.close()
            raise
        return self

    def _settle(self) -> None:
        """Keep of what is here whatever still holds."""
        known = self.document(IDENTITY)
        if known is None or self._fresh:
            self._keep(set())
        elif known != self._identity:
            if self.document(MENDABLE) is None:
                raise self._other_settings(known)
            self._keep(self._still_valid(known))
        (self.folder / f"{MENDABLE}.json").unlink(missing_ok=True)
        self.put_document(IDENTITY, self._identity)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, CurateError) and self.folder.exists():
            self.put_document(MENDABLE, True)
        if self._lock is not None:
            self._lock.close()

    def shards(self, name: str) -> Shards:
        """The shards of this name."""
        return Shards(self.folder / name)

    def document(self, name: str) -> Any:
        """A small document that was put here, or None."""
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def put_document(self, name: str, content: Any) -> None:
        """Keep a small document; its presence says that what it describes is complete."""
        path = self.folder / f"{name}.json"
        aside = path.with_name(path.name + ".aside")
        with disk_errors(path):
            with aside.open("w") as file:
                file.write(json.dumps(content, sort_keys=True))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)

    def finish(self) -> None:
        """Remove the folder: the output is complete. Renamed first, so that a kill leaves nothing half removed."""
        done = self.folder.with_name(f".{self.folder.name}.done")
        if done.exists():
            shutil.rmtree(done)
        self.folder.replace(done)
        shutil.rmtree(done)

    def _refuse_foreign(self) -> None:
        entries = {entry.name for entry in self.folder.iterdir()}
        if entries and LOCK not in entries:
            raise StoreError(
                "The folder for unfinished work holds something else.",
                str(self.folder),
                "Choose another place with -o.",
            )

    def _still_valid(self, known: Any) -> set[str]:
        """The entries whose contents the new identity would make again just so."""
        if known.get("staged_from") != self._identity.get("staged_from"):
            return set()
        before, now = known.get("measured_with", {}), self._identity.get("measured_with", {})
        return {*STAGED, *(name for name, facts in before.items() if now.get(name) == facts)}

    def _keep(self, names: set[str]) -> None:
        # First what says that anything here is whole: a kill in between leaves nothing that looks so.
        entries = sorted(self.folder.iterdir(), key=lambda entry: (entry.is_dir(), entry.name))
        for entry in entries:
            if entry.name in {LOCK, *names}:
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _take_lock(self) -> None:
        assert self._lock is not None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                "Another run is writing this output.", str(self.out), "Wait for it, or choose another place with -o."
            ) from error

    def _other_settings(self, known: Any) -> StoreError:
        shown = "; ".join(_differences(known, self._identity)[:6])
        return StoreError(
            f"There is unfinished work with other settings or data ({shown}).",
            str(self.folder),
            "Repeat the earlier command to finish it, or add --fresh to start over.",
        )


def _differences(before: Any, now: Any, name: str = "") -> list[str]:
    """What changed, as `dotted.key: before -> now`, mappings compared key by key."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [f"{name}: {_short(before)} -> {_short(now)}"] if before != now else []
    keys = sorted(before.keys() | now.keys())
    return [d for k in keys for d in _differences(before.get(k), now.get(k), f"{name}.{k}" if name else k)]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
