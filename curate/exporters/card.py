"""The README.md of an export: what the folder contains, for people, for the hub and for `datasets`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.cards.card import Card, card_files
from curate.cards.content import Content
from curate.cards.markdown import code
from curate.exporters.registry import Exporter, Written

MARK = "made by `curate export`"
"""In every README of ours; a folder without it is not replaced."""


def export_card(
    exporter: Exporter,
    written: Written,
    snippets: Mapping[str, str],
    manifest: Mapping[str, Any],
    content: Content,
) -> dict[str, bytes]:
    """The card and its plots, by file name.

    Args:
        exporter: the trainer.
        written: what the data file holds.
        snippets: the other files, by name.
        manifest: how it was made.
        content: what is shown of the pairs.
    """
    columns = ", ".join(code(column) for column in written.columns)
    files = "\n".join(f"- {code(file)}" for file in snippets)
    lead = f"{written.rows:,} rows, {MARK}. {exporter.summary}.\n\nHow to train on it:\n\n{files}"
    title = f"Preference data for {exporter.name}"
    described = f"{code(written.file)} has the columns {columns}."
    return card_files(Card(title, lead, written.file, written.rows, manifest, content, described, (exporter.name,)))
