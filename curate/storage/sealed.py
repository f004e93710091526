"""Files of unfinished work with a checksum that covers their content and their purpose.

The hash covers the content, what it was made for, and its position in the order: a damaged file, one from another run,
and one under another file's name all fail the check. Tables have the hash in their name, documents inside, so that
file and hash appear in one rename.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from xxhash import xxh3_128_digest

from curate.errors import StoreError
from curate.storage.disk import COMPRESSION, disk_errors, write_bytes

SHARD = re.compile(r"shard-(\d{8})-([0-9a-f]{32})\.parquet")
HASH, CONTENT = "hash", "content"
Note = Callable[[str], None]


class Damaged(StoreError):
    """A file of unfinished work differs from what was written.

    Args:
        path: the file.
        reason: what is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"A file of the unfinished work is damaged: {reason}.",
            str(path),
            "Run the same command again: what the file held is measured again, the rest is kept.",
        )


@dataclass(frozen=True)
class Seal:
    """What the hashes of some files depend on, apart from their content.

    Attributes:
        key: at most 64 bytes.
    """

    key: bytes = b""

    @classmethod
    def of(cls, *facts: Any) -> Seal:
        """The seal of files made from these facts, which must be JSON-serialisable."""
        return cls(hashlib.blake2b(_text(facts), digest_size=32).digest())

    def hash(self, content: bytes | memoryview | pa.Buffer, number: int = 0) -> str:
        """The hash, 32 hexadecimal digits.

        Args:
            content: the content of the file.
            number: the file's position among those of its kind.
        """
        # Content is hashed at memory speed, as it is read more than once; what it is for goes into a keyed hash.
        found, place = xxh3_128_digest(memoryview(content)), number.to_bytes(16, "little")
        return hashlib.blake2b(found, digest_size=16, key=self.key, person=place).hexdigest()


UNSEALED = Seal()
"""The seal of files that depend on nothing but their content."""


def _text(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, default=str).encode()


def write_shard(table: pa.Table, folder: Path, number: int, seal: Seal) -> tuple[Path, pa.Schema]:
    """Write a table under a name that contains its number and hash; returns its path and its schema as in Parquet.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression=COMPRESSION) as writer:
        writer.write_table(table)
    content = sink.getvalue()
    path = folder / f"shard-{number:08d}-{seal.hash(content, number)}.parquet"
    write_bytes(memoryview(content), path)
    return path, pq.read_schema(pa.BufferReader(content))


def read_shard(path: Path, seal: Seal) -> pa.Buffer:
    """Return the bytes of a Parquet file written by `write_shard`.

    Raises:
        Damaged: the file cannot be read, or differs from what was written.
    """
    name = SHARD.fullmatch(path.name)
    if name is None:
        raise Damaged(path, "its name is not one of ours")
    content = _bytes(path)
    if seal.hash(content, int(name[1])) != name[2]:
        raise Damaged(path, "its checksum does not match")
    return pa.py_buffer(content)


def write_document(content: Any, path: Path, seal: Seal) -> None:
    """Write JSON-serialisable content with its hash.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    write_bytes(_text({HASH: seal.hash(_text(content)), CONTENT: content}), path)


def read_document(path: Path, seal: Seal) -> Any:
    """Return the content written by `write_document`.

    Raises:
        Damaged: the file cannot be read, or differs from what was written.
    """
    try:
        held = json.loads(_bytes(path))
    except (ValueError, RecursionError) as error:
        raise Damaged(path, "it is not valid JSON") from error
    if not isinstance(held, dict) or held.get(HASH) != seal.hash(_text(held.get(CONTENT))):
        raise Damaged(path, "its checksum does not match")
    return held[CONTENT]


def kept_document(path: Path, seal: Seal, note: Note) -> Any:
    """The document, if it exists and is intact; otherwise None, and a damaged file is removed."""
    if not path.exists():
        return None
    try:
        return read_document(path, seal)
    except Damaged:
        note(f"unfinished work: {path.parent.name}/{path.name} failed its checksum; making it again.")
        with disk_errors(path):
            path.unlink()
        return None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Damaged(path, f"it cannot be read ({error.strerror})") from error
