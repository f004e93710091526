"""What the manifests of a table's files say about how it was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from curate.readers.files.table import Table
from curate.writers.parquet import MANIFEST_KEY


def manifests_of(table: Table) -> list[dict[str, Any]]:
    """The manifests of the table's files, without those of other tools."""
    return [manifest for manifest in table.manifests(MANIFEST_KEY) if isinstance(manifest, dict)]


def recorded(manifests: Sequence[dict[str, Any]], *keys: str) -> Any:
    """The value under these nested keys in the newest step that has them; None if no step has."""
    for manifest in _newest_first(manifests):
        value: Any = manifest
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def metrics_made(manifests: Sequence[dict[str, Any]]) -> frozenset[str]:
    """The metrics that any earlier step computed."""
    return frozenset(name for one in _newest_first(manifests) for name in one.get("metrics") or ())


def _newest_first(manifests: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for manifest in manifests:
        yield manifest
        yield from _newest_first([one for one in manifest.get("history", []) if isinstance(one, dict)])
