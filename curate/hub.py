"""The Hugging Face hub: whether it answers at all, checked once and quickly.

The libraries try an unresponsive address for a minute, file by file. Here the hub is checked first; if it does not
answer, the libraries are told to use the cache.
"""

from __future__ import annotations

import os
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from curate.errors import ModelError, first_line
from curate.offline import how_to_end

ANSWER_SECONDS, WHOLE_SECONDS = 4.0, 6.0
"""How long the hub may take to answer, and to resolve its name, which no timeout in Python limits."""
VALID_SECONDS = 60.0
UNTOLD = "no answer"
_found: dict[str, tuple[float, str | None]] = {}


def endpoint() -> str:
    """The hub's address."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def why_unreachable() -> str | None:
    """Why the hub cannot be reached, or None if it can; cached for a minute."""
    address = endpoint()
    when, reason = _found.get(address, (-VALID_SECONDS, None))
    if time.monotonic() - when > VALID_SECONDS:
        reason = _ask(address)
        _found[address] = (time.monotonic(), reason)
    return reason


def _ask(address: str) -> str | None:
    told: list[str | None] = []
    asking = Thread(target=lambda: told.append(_answer(address)), daemon=True)
    asking.start()
    asking.join(WHOLE_SECONDS)
    return told[0] if told else UNTOLD


def _answer(address: str) -> str | None:
    try:
        urlopen(Request(address, method="HEAD"), timeout=ANSWER_SECONDS).close()
    except HTTPError:
        return None  # any answer shows that it is there
    except (OSError, ValueError, HTTPException) as error:
        cause = error.reason if isinstance(error, URLError) else error
        # The libraries use other certificates than Python does.
        return None if isinstance(cause, ssl.SSLError) else _told(cause)
    return None


def _told(cause: object) -> str:
    if isinstance(cause, TimeoutError):
        return UNTOLD
    return (cause.strerror if isinstance(cause, OSError) else None) or first_line(Exception(cause))


def is_offline() -> bool:
    """Whether the user told the libraries to stay offline."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


@contextmanager
def hub_access(name: str) -> Iterator[None]:
    """Make loads in this block use only the cache, if the name is not a path and the hub does not answer."""
    if Path(name).expanduser().exists() or is_offline() or why_unreachable() is None:
        yield
        return
    with _cache_alone():
        yield


@contextmanager
def _cache_alone() -> Iterator[None]:
    from huggingface_hub import constants

    config = sys.modules.get("datasets.config")
    places = [constants, *([config] if config else [])]
    before = [place.HF_HUB_OFFLINE for place in places]
    for place in places:
        place.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = value  # type: ignore[attr-defined]


def check_place(name: str) -> None:
    """Refuse a missing path early; a hub id cannot be checked without the network.

    Raises:
        ModelError: `name` looks like a path but nothing is there; or it is a named pipe, which might never end.
    """
    path = Path(name).expanduser()
    looks_like_path = name.startswith(("/", ".", "~")) or name.count("/") > 1 or "\\" in name
    if looks_like_path and not path.exists():
        raise ModelError("There is no model at this path.", name, "Give a folder with config.json, or a hub id.")
    for one in (path, *(path.iterdir() if path.is_dir() else ())):
        if one.exists() and not (one.is_file() or one.is_dir()):
            raise ModelError("This is neither a file nor a folder.", str(one), "Give a folder with config.json.")


def cached_folder(name: str) -> Path | None:
    """Where the hub's cache keeps this model, in a folder named by its commit; None if it does not."""
    if name.count("/") > 1 or ":" in name or name.startswith(("<", ".", "/")):
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def check_found(name: str) -> None:
    """Refuse, before any library is loaded, a name under which nothing can be found.

    Raises:
        ModelError: a path where nothing is; or no path, the hub is offline or does not answer, and its cache does not
            have it.
    """
    check_place(name)
    if Path(name).expanduser().exists() or _may_be_cached(name):
        return
    if is_offline() or why_unreachable() is not None:
        raise not_loaded("", name, LookupError("not in the cache"))


def _may_be_cached(name: str) -> bool:
    if os.environ.get("SENTENCE_TRANSFORMERS_HOME"):
        return True  # another cache, with another layout
    from huggingface_hub import constants

    # sentence-transformers adds its own name to names without an owner
    folders = [f"models--{one.replace('/', '--')}" for one in (name, f"sentence-transformers/{name}")]
    return any((Path(constants.HF_HUB_CACHE) / folder).exists() for folder in folders)


def not_loaded(what: str, name: str, error: BaseException, hint: str = "Check the path or the hub id.") -> ModelError:
    """The error for a model that a library could not load; explains both readings of its name if the hub is away.

    Args:
        what: what could not be loaded, as a sentence.
        name: the model's name.
        error: what the library raised.
        hint: what to try, if the name is a path or the hub answers.
    """
    where = f"{name}: {first_line(error)}"
    if Path(name).expanduser().exists():
        return ModelError(what, where, hint)
    if is_offline():
        return ModelError(
            f"There is no folder {name} here, and the hub's cache does not contain it.",
            where,
            f"Check the path, or {how_to_end()} to ask the hub.",
        )
    if (reason := why_unreachable()) is not None:
        return ModelError(
            f"There is no folder {name} here; the hub cannot be reached.",
            f"{endpoint()}: {reason}",
            "Check the path, or the network, HF_ENDPOINT and the proxy's settings. Cached models need none of these.",
        )
    return ModelError(what, where, hint)
