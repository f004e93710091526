"""Parquet written aside, with its manifest, and put in place when it is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.disk import disk_errors, parquet_writer
from curate.errors import StoreError
from curate.writers.card import dataset_card

MANIFEST_KEY = "curate"
GROUP_ROWS = 65_536
GROUP_BYTES = 128 * 2**20
FILE_ROWS = 1_000_000


def with_manifest(schema: pa.Schema, manifest: Mapping[str, Any]) -> pa.Schema:
    """The schema carrying the manifest in its metadata, under the key `curate`."""
    return schema.with_metadata({MANIFEST_KEY: json.dumps(manifest, sort_keys=True, ensure_ascii=False)})


def write_output(
    tables: Iterable[pa.Table],
    schema: pa.Schema,
    manifest: Mapping[str, Any],
    out: Path,
    before: Callable[[], object] = lambda: None,
) -> int:
    """Write the tables to a file, or to a folder of shards with a data set card; returns the rows written.

    What stood at `out` before stays there until the new one is whole.

    Args:
        tables: the rows.
        schema: their columns.
        manifest: how they were made.
        out: the file or folder.
        before: called when the new one is whole, before it is put in place: puts what belongs to it in place first.

    Raises:
        StoreError: the disk is full, or the place cannot be written.
    """
    full = with_manifest(schema, manifest)
    aside, replaced = (out.with_name(f".{out.name}.{word}") for word in ("aside", "replaced"))
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        if replaced.exists() and not out.exists():
            replaced.replace(out)
        _remove(aside)
        try:
            if out.suffix == ".parquet":
                rows = _write_file(grouped(tables, full), full, aside)
            else:
                rows = _write_folder(tables, full, manifest, aside, out.name)
            before()
        except BaseException:
            _remove(aside)
            raise
        if out.suffix == ".parquet":
            aside.replace(out)
        else:
            _swap_folder(aside, out, replaced)
    return rows


def grouped(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The tables joined to row groups of up to 65,536 rows or 128 MiB, wherever the cuts between them were."""
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
    (folder / "README.md").write_text(dataset_card(name, schema, manifest, rows))
    return rows


def _swap_folder(new: Path, out: Path, replaced: Path) -> None:
    _remove(replaced)
    if out.exists():
        out.replace(replaced)
    new.replace(out)
    _remove(replaced)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check_folder(out: Path) -> None:
    """Refuse to replace a folder that holds anything but an earlier output.

    Raises:
        StoreError: it does.
    """
    if out.suffix == ".parquet" or not out.is_dir():
        return
    foreign = sorted(e.name for e in out.iterdir() if e.name != "README.md" and not e.match("data-*.parquet"))
    if foreign:
        raise StoreError(
            f"The output folder holds something else: {foreign[0]}.", str(out), "Name a new folder, or a .parquet file."
        )
