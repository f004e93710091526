"""The data set card of an output folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from curate.metrics.registry import all_metrics
from curate.schema import RESPONSE_FIELDS, SAMPLED, Column
from curate.schema import table_columns as known_columns

MARK = "made by `curate "
"""Identifies our own README; a folder whose README lacks it is not replaced."""
HEADER = """---
configs:
- config_name: default
  data_files: data-*.parquet
tags:
- preference
- curate
---
"""


def dataset_card(name: str, schema: pa.Schema, manifest: Mapping[str, Any], rows: int) -> str:
    """A README.md that the Hub and `datasets.load_dataset` understand: what the columns mean and how they were made."""
    lines = [HEADER, f"# {name}\n", f"{rows:,} rows, {MARK}{manifest.get('command', '')}`.\n"]
    lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
    meanings = _meanings()
    for field in schema:
        column = meanings.get(field.name)
        unit, meaning = (column.unit, column.meaning) if column else ("", "from the input")
        cells = [f"`{field.name}`", str(field.type), unit, meaning]
        lines.append("| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |")
    lines += ["\n## How it was made\n", "```json", json.dumps(manifest, indent=1, sort_keys=True), "```", ""]
    return "\n".join(lines)


def _meanings() -> dict[str, Column]:
    metrics = [Column(m.name, "f64", m.unit, m.meaning) for m in all_metrics().values()]
    lists = [Column(f.candidates, f.type, f.unit, f"{f.meaning}, one a response") for f in RESPONSE_FIELDS]
    return {column.name: column for column in (*SAMPLED, *lists, *metrics, *known_columns())}
