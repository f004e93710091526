"""Unfinished work on disk: everything measured so far, keyed by row, next to the output until that is complete.

Everything is written to a temporary file and renamed, so a file under its final name is complete; and everything is
sealed, so that damage is noticed and repaired by measuring again. However a run is stopped, the next one finds its
shards; a run with other settings or other data is refused.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from curate.errors import KEPT, CurateError, StoreError
from curate.storage.disk import disk_errors
from curate.storage.sealed import Damaged, Note, Seal, kept_document, read_document, write_document
from curate.storage.shards import Shards

LOCK, IDENTITY, COPY, MENDABLE = "lock", "identity", "identity-copy", "mendable"
IDENTITY_SEAL = Seal.of(IDENTITY)
STAGED_FROM, MEASURED_WITH = "staged_from", "measured_with"
STAGED_SHARDS, STAGED = ("rows", "records", "rejects"), "staged"


def work_folder(out: Path) -> Path:
    """The folder of an output's unfinished work."""
    return out.with_name(out.name + ".work")


def is_work(out: Path) -> bool:
    """Whether there is unfinished work of ours; a run that was stopped at once leaves its folder empty."""
    folder = work_folder(out)
    return folder.is_dir() and ((folder / LOCK).is_file() or not any(folder.iterdir()))


def finished_work(out: Path) -> Path:
    """Where unfinished work is moved for removal when the output is complete."""
    return out.with_name(f".{out.name}.work.done")


def discard_work(out: Path) -> None:
    """Remove the unfinished work of an output, if it is ours."""
    if is_work(out):
        _discard(out)


def _discard(out: Path) -> None:
    """Rename before removing, so that a kill leaves nothing half removed."""
    done = finished_work(out)
    with disk_errors(done):
        if done.exists():
            shutil.rmtree(done)
        work_folder(out).replace(done)
        shutil.rmtree(done)


def held_identity(out: Path) -> Any:
    """The identity of an output's unfinished work; None if there is none, or it cannot be read."""
    found = [_read_identity(work_folder(out) / f"{name}.json") for name in (IDENTITY, COPY)]
    return found[0] or found[1]


def _read_identity(path: Path) -> Any:
    try:
        return read_document(path, IDENTITY_SEAL)
    except Damaged:
        return None


class Workspace:
    """The folder of unfinished work next to an output, locked by one run at a time.

    Use as a context manager; the folder is kept on exit unless `finish` was called.

    Args:
        out: the output file or folder.
        identity: everything that decides the result; work with another identity is refused. Its entry `staged_from`
            says what decides the staged rows, and `measured_with` what decides each shard folder. When the user
            corrects a setting after an error, whatever these entries still cover is kept.
        fresh: start over instead.
        note: called with a message about any damaged work.
    """

    def __init__(
        self, out: Path, identity: Mapping[str, Any], *, fresh: bool = False, note: Note = lambda _: None
    ) -> None:
        self.out = out
        self.folder = work_folder(out)
        self._identity = json.loads(json.dumps(identity, sort_keys=True, default=str))
        self._fresh, self._note = fresh, note
        self._lock: TextIO | None = None

    def __enter__(self) -> Workspace:
        with disk_errors(self.out):
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self.folder.mkdir(exist_ok=True)
            self._refuse_foreign()
            self._lock = (self.folder / LOCK).open("w")
        try:
            self._take_lock()
            with disk_errors(self.folder):
                self._settle()
        except BaseException:
            self._lock.close()
            raise
        return self

    def _settle(self) -> None:
        """Keep whatever is still valid here."""
        if self._fresh or not any(self._path(name).exists() for name in (IDENTITY, COPY)):
            self._keep(set())
        elif (known := self._known()) != self._identity:
            if self.document(MENDABLE) is None:
                raise self._other_settings(known)
            self._keep(self._still_valid(known))
        for name in (IDENTITY, COPY):
            self.put_document(name, self._identity)
        self._path(MENDABLE).unlink(missing_ok=True)

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None and self.folder.exists():
            error.add_note(KEPT)
            if isinstance(error, CurateError):
                self.put_document(MENDABLE, True)
        if self._lock is not None:
            self._lock.close()

    def _known(self) -> Any:
        """The identity of the work here. If it is lost the shards are kept: each proves whose it is."""
        damaged = [name for name in (IDENTITY, COPY) if _read_identity(self._path(name)) is None]
        if damaged:
            self._note(f"unfinished work: {' and '.join(damaged)}.json failed its checksum; keeping what still fits.")
        return held_identity(self.out) or self._identity

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _seal(self, name: str) -> Seal:
        """The seal for this name. It covers no more than what decides the contents, which may outlive other changes."""
        if name in (IDENTITY, COPY, MENDABLE):
            return IDENTITY_SEAL
        staged_from, measured_with = (self._identity.get(key) for key in (STAGED_FROM, MEASURED_WITH))
        if name in (STAGED, *STAGED_SHARDS):
            return Seal.of(name, staged_from)
        if name in (measured_with or {}):
            return Seal.of(name, staged_from, measured_with[name])
        return Seal.of(name, self._identity)

    def shards(self, name: str) -> Shards:
        """The shards under this name."""
        return Shards(self.folder / name, self._seal(name), self._note)

    def document(self, name: str) -> Any:
        """A small document that was stored here; None if there is none, or it is damaged."""
        return kept_document(self._path(name), self._seal(name), self._note)

    def put_document(self, name: str, content: Any) -> None:
        """Store a small document; its presence says that what it describes is complete."""
        write_document(content, self._path(name), self._seal(name))

    def finish(self) -> None:
        """Remove the folder, because the output is complete."""
        _discard(self.out)

    def _refuse_foreign(self) -> None:
        entries = {entry.name for entry in self.folder.iterdir()}
        if entries and LOCK not in entries:
            raise StoreError(
                "The folder for unfinished work contains something else.",
                str(self.folder),
                "Choose another place with -o.",
            )

    def _still_valid(self, known: Any) -> set[str]:
        """The entries whose contents would be the same under the new identity."""
        if known.get(STAGED_FROM) != self._identity.get(STAGED_FROM):
            return set()
        before, now = known.get(MEASURED_WITH, {}), self._identity.get(MEASURED_WITH, {})
        return {f"{STAGED}.json", *STAGED_SHARDS, *(name for name, facts in before.items() if now.get(name) == facts)}

    def _keep(self, names: set[str]) -> None:
        # First remove what marks anything here as complete: a kill in between leaves nothing that looks complete.
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
        shown = "; ".join(differences(known, self._identity)[:6])
        return StoreError(
            f"There is unfinished work with other settings or data ({shown}).",
            str(self.folder),
            "Rerun the earlier command to finish it, or add --fresh to start over.",
        )


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """What changed, as `dotted.key: before -> now`; mappings are compared key by key."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [f"{name}: {_short(before)} -> {_short(now)}"] if before != now else []
    keys = sorted(before.keys() | now.keys())
    return [d for k in keys for d in differences(before.get(k), now.get(k), f"{name}.{k}" if name else k)]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
