"""Parquet written to a temporary file, with its manifest, and put in place when complete."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.cards.card import MARK
from curate.cards.plots import PLOTS
from curate.storage.disk import parquet_writer
from curate.storage.places import Kind, Place, check_table_name
from curate.storage.placing import written_aside
from curate.writers.card import write_card

MANIFEST_KEY = "curate"
GROUP_ROWS = 65_536
GROUP_BYTES = 128 * 2**20
FILE_ROWS = 1_000_000


def with_manifest(schema: pa.Schema, manifest: Mapping[str, Any]) -> pa.Schema:
    """The schema with the manifest in its metadata, under the key `curate`."""
    return schema.with_metadata({MANIFEST_KEY: json.dumps(manifest, sort_keys=True, ensure_ascii=False)})


def write_output(
    tables: Iterable[pa.Table],
    schema: pa.Schema,
    manifest: Mapping[str, Any],
    out: Path,
    before: Callable[[], object] = lambda: None,
) -> int:
    """Write the tables to a file, or to a folder of shards with a data set card; returns the number of rows written.

    Whatever was at `out` stays there until the new output is complete.

    Args:
        tables: the rows.
        schema: their columns.
        manifest: how they were made.
        out: the file or folder to write.
        before: called when the new output is complete, to put accompanying files in place before it.

    Raises:
        StoreError: the disk is full, or the place cannot be written.
    """
    full = with_manifest(schema, manifest)
    with written_aside(Place(out, TABLE), before) as aside:
        if out.suffix == ".parquet":
            return _write_file(grouped(tables, full), full, aside)
        return _write_folder(tables, full, manifest, aside, out.name)


def grouped(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Regroup the tables into row groups of up to 65,536 rows or 128 MiB, however they were cut before."""
    waiting: list[pa.Table] = []
    for table in tables:
        for piece in (table.slice(start, GROUP_ROWS) for start in range(0, table.num_rows, GROUP_ROWS)):
            rows, size = sum(t.num_rows for t in waiting), sum(t.nbytes for t in waiting)
            if waiting and (rows + piece.num_rows > GROUP_ROWS or size + piece.nbytes > GROUP_BYTES):
                yield pa.concat_tables(waiting)
                waiting = []
            waiting.append(piece.cast(schema))
    if waiting:
        yield pa.concat_tables(waiting)


def _write_file(groups: Iterable[pa.Table], schema: pa.Schema, path: Path) -> int:
    rows = 0
    with parquet_writer(path, schema) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=max(1, group.num_rows))
            rows += group.num_rows
    return rows


def _write_folder(
    tables: Iterable[pa.Table], schema: pa.Schema, manifest: Mapping[str, Any], folder: Path, name: str
) -> int:
    folder.mkdir()
    rows, files = 0, 0
    waiting: list[pa.Table] = []
    for group in grouped(tables, schema):
        waiting.append(group)
        if sum(table.num_rows for table in waiting) >= FILE_ROWS:
            rows += _write_file(waiting, schema, folder / f"data-{files:05d}.parquet")
            files, waiting = files + 1, []
    if waiting or not files:
        rows += _write_file(waiting, schema, folder / f"data-{files:05d}.parquet")
    write_card(folder, name, schema, manifest, rows)
    return rows


def has_manifest(path: Path) -> bool:
    """Whether the file is a Parquet file written by this tool."""
    if not path.is_file() or path.is_symlink():
        return False
    try:
        return MANIFEST_KEY.encode() in (pq.read_schema(path).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def _foreign(path: Path) -> str | None:
    if path.is_file():
        return None if has_manifest(path) else path.name
    entries = sorted(path.iterdir())
    ours = any(map(_is_card, entries))
    return next((one.name for one in entries if not (_is_card(one) or _is_part(one, ours))), None)


def _is_card(path: Path) -> bool:
    return path.name == "README.md" and path.is_file() and MARK in path.read_text(encoding="utf-8", errors="replace")


def _is_part(path: Path, ours: bool) -> bool:
    """Whether a file in a folder is a shard or a plot; next to our own card, a damaged one counts too."""
    if path.match("data-*.parquet") and has_manifest(path):
        return True
    return ours and (path.match("data-*.parquet") or path.name in PLOTS) and path.is_file() and not path.is_symlink()


TABLE = Kind(check_table_name, _foreign)
"""An output table: a Parquet file, or a folder of shards with a card."""
