"""An export's folder: written aside, put in place when it is whole, and never put in place of anything else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.disk import disk_errors, parquet_writer
from curate.errors import StoreError
from curate.exporters.card import MARK, export_card
from curate.exporters.history import measured_under, weighed_by
from curate.exporters.registry import Exporter, Row, Written, all_exporters
from curate.writers.parquet import MANIFEST_KEY, grouped

README = "README.md"
Batches = Iterable[Sequence[Row]]
ManifestOf = Callable[[int], Mapping[str, Any]]


def write_export(
    exporter: Exporter,
    schema: pa.Schema,
    batches: Batches,
    manifest_of: ManifestOf,
    out: Path,
    before: Callable[[], object] = lambda: None,
) -> int:
    """Write the data file, the snippets and the README to the folder `out`; returns the rows written.

    What stood at `out` before stays there until the new one is whole.

    Args:
        exporter: the trainer.
        schema: the columns, those carried over included.
        batches: the rows.
        manifest_of: told the rows written, when all are, says how they were made.
        out: the folder.
        before: called when the new one is whole, before it is put in place.

    Raises:
        StoreError: the disk is full, or the place cannot be written.
    """
    aside, replaced = (out.with_name(f".{out.name}.{word}") for word in ("aside", "replaced"))
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        if replaced.exists() and not out.exists():
            replaced.replace(out)
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            rows = _fill(aside, exporter, schema, batches, manifest_of)
            before()
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        shutil.rmtree(replaced, ignore_errors=True)
        if out.exists():
            out.replace(replaced)
        aside.replace(out)
        shutil.rmtree(replaced, ignore_errors=True)
    return rows


def _fill(folder: Path, exporter: Exporter, schema: pa.Schema, batches: Batches, manifest_of: ManifestOf) -> int:
    path = folder / exporter.file
    write = _write_parquet if exporter.kind == "parquet" else _write_lines
    rows, manifest = write(path, schema, batches, manifest_of)
    written = Written(exporter.file, tuple(schema.names), rows, weighed_by(manifest), measured_under(manifest))
    snippets = exporter.snippet(written)
    for name, text in {**snippets, README: export_card(exporter, written, snippets, manifest)}.items():
        with (folder / name).open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    return rows


def _write_parquet(
    path: Path, schema: pa.Schema, batches: Batches, manifest_of: ManifestOf
) -> tuple[int, Mapping[str, Any]]:
    rows = 0
    # without the stored Arrow schema, what is added at the end is read back as the schema's metadata
    with parquet_writer(path, schema, store_schema=False) as writer:
        for group in grouped(_tables(batches, schema), schema):
            writer.write_table(group, row_group_size=max(1, group.num_rows))
            rows += group.num_rows
        manifest = manifest_of(rows)
        writer.add_key_value_metadata({MANIFEST_KEY: json.dumps(manifest, sort_keys=True, ensure_ascii=False)})
    return rows, manifest


def _tables(batches: Batches, schema: pa.Schema) -> Iterator[pa.Table]:
    for batch in batches:
        yield pa.Table.from_pylist(list(batch), schema=schema)


def _write_lines(
    path: Path, schema: pa.Schema, batches: Batches, manifest_of: ManifestOf
) -> tuple[int, Mapping[str, Any]]:
    rows = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in batches:
            for row in batch:
                file.write(json.dumps({name: row[name] for name in schema.names}, ensure_ascii=False) + "\n")
            rows += len(batch)
        file.flush()
        os.fsync(file.fileno())
    return rows, manifest_of(rows)


def check_export_place(out: Path) -> None:
    """Refuse a place that is no folder of ours.

    Raises:
        StoreError: it names a file, or a folder that holds anything but an earlier export.
    """
    if not out.name or out.suffix or (out.exists() and not out.is_dir()):
        raise StoreError("The output of an export is a folder.", str(out), "Name a new folder, without a suffix.")
    if not out.is_dir():
        return
    known = _known_files()
    names = sorted(entry.name for entry in out.iterdir())
    foreign = [name for name in names if name not in known]
    if not foreign and names and not _is_ours(out):
        foreign = names
    if foreign:
        raise StoreError(f"The output folder holds something else: {foreign[0]}.", str(out), "Name a new folder.")


def _is_ours(out: Path) -> bool:
    readme = out / README
    return readme.is_file() and MARK in readme.read_text(encoding="utf-8", errors="replace")


def _known_files() -> set[str]:
    """Every file name that some exporter writes."""
    found = {README}
    for exporter in all_exporters().values():
        found |= {exporter.file, *exporter.snippet(Written(exporter.file, tuple(exporter.schema.names), 0))}
    return found
