"""The rows of a scored table: the input's columns followed by the new ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from curate.lines import counted
from curate.metrics.registry import as_numbers
from curate.progress import Reporter
from curate.readers import conform, merge_schemas
from curate.responses.table import MEASURED, Staged, calls_in, messages_of
from curate.schema import FINISH_REASON, Message
from curate.tokens.tools import response_message
from curate.writers.rejects_file import write_with_rejects
from curate.writers.rows import Columns, texts_of


def write_rows(
    staged: Staged,
    columns: Any,
    manifest: dict[str, Any],
    out: Path,
    reporter: Reporter,
) -> int:
    """Write the input's columns followed by the new ones, and the rejected rows.

    A new column replaces an input column of the same name.

    Args:
        staged: the rows.
        columns: maps (first row, number of rows) to the new columns of these rows.
        manifest: stored in the file.
        out: where to write.
        reporter: notified of input columns whose values were replaced.
    """
    own = merge_schemas([staged.rows.schema(path) for path in staged.rows.paths()])
    as_pairs = "pair_id" in columns(0, 0)
    changed: Counter[str] = Counter()

    def tables() -> Iterator[pa.Table]:
        first = 0
        for rows, records in zip(staged.rows.tables(), staged.records.tables(), strict=True):
            table = conform(rows, own)
            added = {**_texts(records, own, as_pairs, staged.has_tools), **columns(first, rows.num_rows)}
            for name, values in added.items():
                place = table.schema.get_field_index(name)
                if place >= 0:
                    changed[name] += _differing(table[name], values)
                table = table.append_column(name, values) if place < 0 else table.set_column(place, name, values)
            first += rows.num_rows
            yield table

    schema = next(tables()).schema
    changed.clear()
    written = write_with_rejects(staged.rejects.tables(), tables(), schema, manifest, out)
    replaced = [f"{name} ({counted(rows, 'row')})" for name, rows in changed.items() if rows]
    if replaced:
        reporter.note(f"columns of the input replaced by new values: {', '.join(replaced)}")
    return written


def _differing(old: pa.ChunkedArray, new: pa.Array) -> int:
    """The number of rows whose new value differs from the old; text that holds numbers is compared as numbers."""
    before, now = pl.Series("", old), pl.Series("", new)
    if now.dtype.is_numeric():
        before, now = as_numbers(before), as_numbers(now)
    if before.dtype != now.dtype:
        return before.len()
    return int((before.ne_missing(now)).sum())


def _texts(records: pa.Table, own: pa.Schema, as_pairs: bool, tools: bool) -> Columns:
    """Prompt and responses, unless the input already has columns of these names."""
    if as_pairs and not {"chosen", "rejected"} & set(own.names):
        responses = list(zip(records["responses"].to_pylist(), calls_in(records), strict=True))
        answers = {
            side: [response_message(texts[place], calls[place]) for texts, calls in responses]
            for place, side in enumerate(("chosen", "rejected"))
        }
        return texts_of(_prompts(records), answers, tools)
    if as_pairs:
        return {}
    finish = MEASURED + FINISH_REASON
    found = {} if "responses" in own.names else {"responses": records["responses"].combine_chunks()}
    if "prompt" not in own.names:
        found |= texts_of(_prompts(records), {}, tools)
    if finish in records.column_names:
        found["finish_reasons"] = records[finish].combine_chunks()
    return found


def _prompts(records: pa.Table) -> list[list[Message]]:
    return [messages_of(text) for text in records["prompt"].to_pylist()]
