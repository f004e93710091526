"""Show what a cache of measured numbers holds, trim it to a size, or empty it.

`--cache DIR` of score and pair fills it. Runs may use it at the same time.

Examples:
    curate cache numbers
    curate cache numbers --trim 20GB
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from curate.cli import console
from curate.errors import SettingsError
from curate.lines import Summary
from curate.settings import option
from curate.settings.models import Size, bytes_of
from curate.storage.number_cache import MARK, NumberCache


class CacheSettings(BaseModel):
    """The options of `curate cache`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path = option(help="The folder of the cache.", metavar="DIR", argument=True)
    trim: Size | None = option(None, "Remove what was used longest ago, down to this size.", metavar="SIZE")
    clear: bool = option(False, "Remove all numbers.")


def cache(settings: CacheSettings, as_json: bool) -> None:
    """Do to the cache what was asked, and say what it holds then.

    Raises:
        SettingsError: there is no cache, or it is to be both trimmed and emptied.
    """
    if not (settings.folder / MARK).is_file():
        hint = "Name the folder that was given to --cache."
        raise SettingsError("There is no cache here.", f"folder {settings.folder}", hint)
    if settings.clear and settings.trim is not None:
        raise SettingsError("--clear leaves nothing to trim.", setting="trim", value=settings.trim, hint="Keep one.")
    held = NumberCache(settings.folder)
    if settings.clear:
        held.clear()
    removed = held.trim(bytes_of(settings.trim)) if settings.trim is not None else 0
    if as_json:
        console.say_json(_facts(held, removed))
    else:
        console.say(_summary(held, removed))


def _facts(held: NumberCache, removed: int) -> dict[str, Any]:
    files = held.files()
    used = [datetime.fromtimestamp(one.used, UTC).isoformat(timespec="seconds") for one in files]
    return {
        "folder": str(held.folder),
        "bytes": sum(one.size for one in files),
        "files": len(files),
        "ways": len({one.path.parent for one in files}),
        "oldest": used[0] if used else None,
        "newest": used[-1] if used else None,
        "removed": removed,
    }


def _summary(held: NumberCache, removed: int) -> Summary:
    if removed:
        yield f"{removed / 1e6:,.1f} MB removed."
    files = held.files()
    if not files:
        yield "The cache is empty."
        return
    ways = len({one.path.parent for one in files})
    in_files = f"{len(files):,} file{'s' * (len(files) > 1)}, measured in {ways:,} way{'s' * (ways > 1)}"
    yield f"{sum(one.size for one in files) / 1e6:,.1f} MB in {in_files}."
    oldest, newest = (date.fromtimestamp(one.used) for one in (files[0], files[-1]))
    yield f"Last used between {oldest} and {newest}." if oldest < newest else f"Last used on {newest}."


COMMAND = CacheSettings, cache
