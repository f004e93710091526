"""The data set card of a folder of shards: its columns and what they mean, next to what every card says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.cards.card import MARK, Card, card_files, card_text
from curate.cards.content import Content, content_of
from curate.cards.history import newest
from curate.cards.markdown import cell, code, escaped, table
from curate.metrics.registry import all_metrics
from curate.schema import RESPONSE_FIELDS, SAMPLED, Column
from curate.schema import table_columns as known_columns

PATTERN = "data-*.parquet"


def dataset_card(
    name: str, schema: pa.Schema, manifest: Mapping[str, Any], rows: int, content: Content | None = None
) -> str:
    """A README.md that the Hub and `datasets.load_dataset` understand: what the columns mean and how they were made."""
    return card_text(_card(name, schema, manifest, rows, content or Content()))


def write_card(folder: Path, name: str, schema: pa.Schema, manifest: Mapping[str, Any], rows: int) -> None:
    """Write the card of the shards in a folder, with its plots.

    Args:
        folder: has the complete shards.
        name: of the data set.
        schema: the columns.
        manifest: how they were made.
        rows: how many there are.
    """
    content = content_of(sorted(folder.glob(PATTERN)), schema, newest(manifest, "settings", "by"))
    for file, text in card_files(_card(name, schema, manifest, rows, content)).items():
        (folder / file).write_bytes(text)


def _card(name: str, schema: pa.Schema, manifest: Mapping[str, Any], rows: int, content: Content) -> Card:
    meanings = _meanings()
    cells = []
    for field in schema:
        column = meanings.get(field.name)
        unit, meaning = (column.unit, column.meaning) if column else ("", "from the input")
        cells.append((code(field.name), escaped(field.type), cell(unit), cell(meaning)))
    lead = f"{rows:,} rows, {MARK}{manifest.get('command', '')}`."
    columns = table(("column", "type", "unit", "meaning"), cells)
    return Card(escaped(name), lead, PATTERN, rows, manifest, content, columns)


def _meanings() -> dict[str, Column]:
    metrics = [Column(m.name, "f64", m.unit, m.meaning) for m in all_metrics().values()]
    lists = [Column(f.candidates, f.type, f.unit, f"{f.meaning}, one a response") for f in RESPONSE_FIELDS]
    return {column.name: column for column in (*SAMPLED, *lists, *metrics, *known_columns())}
