"""Bytes of a file: opened, decompressed, fingerprinted."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from curate.readers.files.limits import read_whole

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
BLOCK = 1 << 20


def open_bytes(path: Path) -> BinaryIO:
    """The file's bytes, decompressed if its name ends in .gz or .zst.

    Raises:
        OSError: the file cannot be opened; a broken compression shows only while reading.
    """
    codec = COMPRESSIONS.get(path.suffix.lower())
    if codec is None or path.stat().st_size == 0:
        return path.open("rb")
    stream = pa.CompressedInputStream(pa.OSFile(str(path)), codec)
    return cast(BinaryIO, io.BufferedReader(stream, BLOCK))


def whole_file(path: Path) -> bytes:
    """All of the file's bytes, decompressed.

    Raises:
        OSError: the file cannot be opened, or its compression is broken.
        InputError: a small file expands to a very large one.
    """
    with open_bytes(path) as stream:
        return read_whole(stream, path.stat().st_size, path.suffix.lower() in COMPRESSIONS)


def fingerprint(path: Path) -> dict[str, Any]:
    """Base name, size and hash of the file on disk."""
    digest = hashlib.blake2b(digest_size=16)
    size = 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            size += len(block)
    return {"name": path.name, "bytes": size, "blake2b": digest.hexdigest()}
