"""Texts of others in a Markdown file: cells, code spans and blocks that nothing in them can leave."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

SPECIAL = re.compile(r"([\\`*\[\]<>#|~&$!]|(?<!\w)_|_(?!\w))")
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Control characters, marks that turn the direction of text, and halves of characters: shown as `\\u202e`."""
TICKS = re.compile("`+")
LINE = 100


def escaped(text: object) -> str:
    """A text as one line of Markdown that shows it as it is."""
    return SPECIAL.sub(r"\\\1", " ".join(visible(str(text)).split()))


def cell(markdown: str) -> str:
    """Markdown of ours as one cell of a table."""
    return " ".join(markdown.split()).replace("|", "\\|")


def code(text: object) -> str:
    """A text as a code span that also fits into a table's cell."""
    shown = " ".join(visible(str(text)).split()).replace("|", "\\|")
    ticks = "`" * (1 + max((len(one) for one in TICKS.findall(shown)), default=0))
    space = " " if "`" in shown or not shown else ""
    return f"{ticks}{space}{shown}{space}{ticks}"


def block(text: str, language: str = "text", *, most: int | None = None) -> str:
    """A text as a code block: its own line breaks, longer lines wrapped, cut after `most` characters."""
    shown = visible(text)
    if most is not None:
        cut = shown[:most].rstrip()
        shown = f"{cut} … ({len(shown) - len(cut):,} more characters)" if len(shown) > most else shown
        shown = "\n".join(_wrapped(line) for line in shown.split("\n"))
    ticks = "`" * max(3, 1 + max((len(one) for one in TICKS.findall(shown)), default=0))
    return f"{ticks}{language}\n{shown}\n{ticks}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def visible(text: str) -> str:
    """The text with hidden characters spelled out."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", unified)


def _wrapped(line: str) -> str:
    if len(line) <= LINE:
        return line
    pieces = textwrap.wrap(line, LINE, replace_whitespace=False, break_long_words=False, break_on_hyphens=False)
    return "\n".join(pieces)
