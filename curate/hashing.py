"""Hashes of texts, and versions of installed packages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version

from curate.schema import Message

DIGEST_BYTES = 16
_version = cache(version)


ALWAYS = ("role", "content")


def text_of(messages: Sequence[Message]) -> str:
    """The messages in one canonical spelling."""
    told = [[m["role"], m["content"], *([more] if (more := _more(m)) else [])] for m in messages]
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _more(message: Message) -> Message:
    """What a message holds besides its role and content, such as calls of tools."""
    if len(message) == len(ALWAYS):
        return {}
    return {key: message[key] for key in sorted(message) if key not in ALWAYS}


def text_hash(*parts: str) -> bytes:
    """128-bit hash of some texts; the boundaries between them count."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.digest()


def pair_id(prompt: str, chosen: str, rejected: str, *calls: str) -> str:
    """The id of a pair: hash of its canonical prompt, chosen and rejected texts, 32 hexadecimal digits.

    Where a response calls tools, what both call is hashed too.
    """
    return text_hash(prompt, chosen, rejected, *calls).hex()


def versions(packages: Sequence[str]) -> dict[str, str]:
    """The installed versions of these packages."""
    return {package: _version(package) for package in packages}
