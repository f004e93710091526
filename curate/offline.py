"""`--offline`: no connection leaves this process, but to the servers that the user named.

Python tells its audit hooks of every address that is looked up or connected to. The one here refuses them, in this
process and in those that it starts, and the hub's libraries are told to use their cache alone. Code in other languages
is not watched: with a local vLLM engine, run the command where there is no network. A Ray of this command's own talks
to this machine alone. The address of a cluster is a server that was named; its nodes connect to each other, but workers
look for no model outside.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

from curate.errors import OfflineError

VARIABLE = "CURATE_OFFLINE"
LIBRARIES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
_named: dict[tuple[str, int], frozenset[str]] = {}
"""The hosts and ports of the servers that the user named, with their addresses."""
_ends_by = "unset HF_HUB_OFFLINE"
_watching = False


def is_begun() -> bool:
    """Whether connections are refused."""
    return bool(os.environ.get(VARIABLE))


def begin(ends_by: str = f"unset {VARIABLE}") -> None:
    """Refuse connections from now on, here and in every process started from here.

    Args:
        ends_by: what the user does to be online again, as the middle of a sentence.
    """
    global _watching, _ends_by
    _ends_by = ends_by
    os.environ[VARIABLE] = "1"
    os.environ.update(dict.fromkeys(LIBRARIES, "1"))
    for module in ("huggingface_hub.constants", "datasets.config"):
        if module in sys.modules:
            sys.modules[module].HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
    if not _watching:
        sys.addaudithook(_hook)  # for the rest of the process: a hook cannot be removed
        _watching = True


def allow(url: str) -> None:
    """Let connections to a server through that the user named."""
    parts = urlsplit(url)
    if parts.hostname:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        _named[parts.hostname, port] = _named.get((parts.hostname, port), frozenset())


def how_to_end() -> str:
    """What to do to be online again, as the middle of a sentence."""
    return _ends_by if is_begun() else "unset HF_HUB_OFFLINE"


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not event.startswith("socket.") or not is_begun():
        return
    if event == "socket.getaddrinfo" and arguments[0] is not None:
        _check(_text(arguments[0]), arguments[1])
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg") and isinstance(arguments[1], tuple):
        _check(*arguments[1][:2])


def _text(host: Any) -> str:
    return host.decode() if isinstance(host, bytes) else str(host)


def _check(host: str, port: Any) -> None:
    """Raise unless this is a server that was named, by its name or by one of its addresses."""
    for (name, number), addresses in list(_named.items()):
        if str(port) != str(number):
            continue
        if host == name or host in addresses:
            return
        _named[name, number] = frozenset(_text(found[4][0]) for found in socket.getaddrinfo(name, number))
        if host in _named[name, number]:
            return
    raise OfflineError(
        "A connection was about to be made while offline.",
        f"{host}:{port}",
        f"Name what is needed as a file or a folder, or {how_to_end()}.",
    )
