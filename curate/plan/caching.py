"""Whether numbers are kept for later runs, and where."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from curate.settings import MeasureSettings
from curate.settings.models import bytes_of
from curate.storage.number_cache import NumberCache

VARIABLE = "CURATE_CACHE"


@dataclass(frozen=True)
class Cache:
    """Where numbers are kept for later runs, and the most bytes that it may hold."""

    numbers: NumberCache
    limit: int


def cache_of(settings: MeasureSettings, notes: list[str]) -> Cache | None:
    """The cache that is named by the settings, else by the environment.

    Raises:
        StoreError: the folder contains something else, or cannot be written.
    """
    folder = settings.cache or os.environ.get(VARIABLE)
    return Cache(NumberCache(Path(folder), notes.append), bytes_of(settings.cache_limit)) if folder else None
