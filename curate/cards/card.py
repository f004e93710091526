"""The README.md of an output folder: two rows, what became of the data, plots, and how to make it again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curate.cards.commands import FOLDER, commands_of
from curate.cards.content import Content
from curate.cards.examples import two_examples
from curate.cards.history import before_and_after, models, parameters, row_counts, sources
from curate.cards.markdown import block
from curate.cards.plots import Plot, plots_of

MARK = "made by `curate "
"""Identifies our own README; a folder whose README lacks it is not replaced."""
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
    (10_000_000_000, "1B<n<10B"),
)
"""The hub's names of sizes, by the number of rows that they end before."""


@dataclass(frozen=True)
class Card:
    """What one output says of itself.

    Attributes:
        title: in Markdown.
        lead: what the rows are, in Markdown.
        data_files: the data's files, as the hub reads them: a name or a pattern.
        rows: how many there are.
        manifest: how it was made.
        content: what is shown of the rows.
        columns: what each column is, in Markdown.
        tags: what the hub finds it by, besides those of every card.
    """

    title: str
    lead: str
    data_files: str
    rows: int
    manifest: Mapping[str, Any]
    content: Content = field(default_factory=Content)
    columns: str = ""
    tags: Sequence[str] = ()


def card_files(card: Card) -> dict[str, bytes]:
    """The card and the plots that it shows, by file name."""
    plots = plots_of(card.content)
    return {"README.md": card_text(card, plots).encode(), **{plot.file: plot.content for plot in plots}}


def card_text(card: Card, plots: Sequence[Plot] = ()) -> str:
    """The card as Markdown, with the front matter that the hub and `datasets.load_dataset` read."""
    settings = parameters(card.manifest, card.content.by)
    parts = [
        f"{_front(card)}\n# {card.title}",
        card.lead,
        *_examples(card),
        *_section("Before and after", before_and_after(card.manifest)),
        *_plots(plots),
        *_section("Made from", sources(card.manifest), models(card.manifest), settings),
        *_section("Rows", row_counts(card.manifest)),
        *_again(card),
        *_section("Columns", card.columns),
        "## How it was made",
        f"```json\n{json.dumps(card.manifest, indent=1, sort_keys=True, ensure_ascii=False)}\n```\n",
    ]
    return "\n\n".join(parts).encode("utf-8", "replace").decode()


def _front(card: Card) -> str:
    size = next((name for most, name in SIZES if card.rows < most), "10B<n<100B")
    lines = ["configs:", "- config_name: default", f"  data_files: {card.data_files}", "size_categories:", f"- {size}"]
    lines += ["tags:", *(f"- {tag}" for tag in ("preference", "curate", *card.tags))]
    return "\n".join(["---", *lines, "---", ""])


def _section(title: str, *parts: str) -> list[str]:
    shown = [part for part in parts if part]
    return [f"## {title}", *shown] if shown else []


def _examples(card: Card) -> list[str]:
    shown = two_examples(card.content)
    pairs = any(record.pair is not None for record, _ in card.content.first)
    title = f"{('One', 'Two')[len(shown) - 1]} of the {'pairs' if pairs else 'rows'}"
    return _section(title, *(f"### {one.title}\n\n{one.text}" for one in shown))


def _plots(plots: Sequence[Plot]) -> list[str]:
    shown = [f"{plot.title}: {plot.caption}.\n\n![histogram]({plot.file})" for plot in plots]
    return _section("What is in it", *shown)


def _again(card: Card) -> list[str]:
    commands = commands_of([card.manifest], FOLDER)
    if not commands:
        return []
    said = "Files and models are named without their folders, which the manifest does not hold."
    return _section("Make it again", block("\n".join(commands), "sh"), said)
