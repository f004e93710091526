"""An export's folder: written to a temporary folder, put in place when complete, and only ever replacing our own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.cards.content import Content
from curate.cards.plots import PLOTS
from curate.errors import StoreError
from curate.exporters.card import MARK, export_card
from curate.exporters.conversations import storage
from curate.exporters.history import measured_under, weighed_by
from curate.exporters.registry import Exporter, Row, Written, all_exporters
from curate.storage.disk import parquet_writer
from curate.storage.places import Kind, Place
from curate.storage.placing import written_aside
from curate.writers.parquet import MANIFEST_KEY, grouped

README = "README.md"
Batches = Iterable[Sequence[Row]]
ManifestOf = Callable[[int], Mapping[str, Any]]


@dataclass(frozen=True)
class Telling:
    """What only the command knows of the rows it exports, once all are written.

    Attributes:
        manifest: maps the number of rows written to the manifest.
        content: what a card shows of them.
    """

    manifest: ManifestOf
    content: Callable[[], Content] = Content


def write_export(
    exporter: Exporter,
    schema: pa.Schema,
    batches: Batches,
    telling: Telling,
    out: Path,
    before: Callable[[], object] = lambda: None,
) -> int:
    """Write the data file, the snippets and the README to the folder `out`; returns the number of rows written.

    Whatever was at `out` stays there until the new folder is complete.

    Args:
        exporter: the trainer.
        schema: the columns, including copied ones.
        batches: the rows.
        telling: what is known of the rows when they are written.
        out: the folder.
        before: called when the new folder is complete, before it is put in place.

    Raises:
        StoreError: the disk is full, or the place cannot be written.
    """
    with written_aside(Place(out, EXPORT), before) as aside:
        aside.mkdir()
        return _fill(aside, exporter, schema, batches, telling)


def _fill(folder: Path, exporter: Exporter, schema: pa.Schema, batches: Batches, telling: Telling) -> int:
    path = folder / exporter.file
    write = _write_parquet if exporter.kind == "parquet" else _write_lines
    rows, manifest = write(path, schema, batches, telling.manifest)
    written = Written(exporter.file, tuple(schema.names), rows, weighed_by(manifest), measured_under(manifest))
    snippets = exporter.snippet(written)
    card = export_card(exporter, written, snippets, manifest, telling.content())
    for file_name, content in {**{one: text.encode() for one, text in snippets.items()}, **card}.items():
        with (folder / file_name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    return rows


def _write_parquet(
    path: Path, schema: pa.Schema, batches: Batches, manifest_of: ManifestOf
) -> tuple[int, Mapping[str, Any]]:
    rows = 0
    # without the stored Arrow schema, metadata added at the end is read back as the schema's metadata
    with parquet_writer(path, schema, store_schema=False) as writer:
        for group in grouped(_tables(batches, schema), schema):
            writer.write_table(group, row_group_size=max(1, group.num_rows))
            rows += group.num_rows
        manifest = manifest_of(rows)
        writer.add_key_value_metadata({MANIFEST_KEY: json.dumps(manifest, sort_keys=True, ensure_ascii=False)})
    return rows, manifest


def _tables(batches: Batches, schema: pa.Schema) -> Iterator[pa.Table]:
    for batch in batches:
        yield pa.Table.from_pylist(list(batch), schema=storage(schema)).cast(schema)


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


def _check_name(out: Path) -> None:
    if out.suffix:
        raise StoreError("The output of an export is a folder.", str(out), "Name a new folder, without a suffix.")


def _foreign(out: Path) -> str | None:
    if out.is_file():
        return out.name
    known = known_files()
    entries = sorted(out.iterdir())
    foreign = [one.name for one in entries if one.name not in known or one.is_symlink() or not one.is_file()]
    if not foreign and not _is_ours(out):
        foreign = [one.name for one in entries]
    return next(iter(foreign), None)


def _is_ours(out: Path) -> bool:
    readme = out / README
    return readme.is_file() and MARK in readme.read_text(encoding="utf-8", errors="replace")


def known_files() -> set[str]:
    """Every file name that any exporter writes."""
    found = {README, *PLOTS}
    for exporter in all_exporters().values():
        found |= {exporter.file, *exporter.snippet(Written(exporter.file, tuple(exporter.schema.names), 0))}
    return found


EXPORT = Kind(_check_name, _foreign)
"""The folder of an export."""
