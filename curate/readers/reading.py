"""Which columns of a table its layout reads, and which others may belong to the prompt."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curate.errors import InputError, RowError
from curate.metrics.registry import all_metrics
from curate.readers.contract import Layout, Row
from curate.readers.parts.column_names import folded
from curate.readers.parts.messages import decoded
from curate.schema import Record, table_columns

SHAPING = re.compile(
    r"\b(?:sys|system|history|contexts?|tools?|functions?|images?|img|pictures?|photos?|screenshots?|videos?|audios?"
    r"|documents?|passages?|personas?|characters?|profile|shots?|fewshot|examples|demonstrations?|dialog(?:ue)?s?|conversations?"
    r"|messages?|turns?|attachments?|background|preamble|prefix|scenario|instructions?|prompt|query|question)\b"
)
"""If a column's name contains one of these words, it may belong to the prompt."""
ABOUT = re.compile(
    r"\b(?:ids?|idx|index|hash|hashes|counts?|lengths?|len|num|number|types?|kind|sources?|lang|language|tokens?|scores?"
    r"|ratings?|rank|models?|names?|category|categories|tags?|labels?|time|timestamp|date|version|fingerprint|split"
    r"|topic|difficulty|quality)\Z|\A(?:num|n|is|has|labell?ing|judge|raw|annotat(?:ion|or)|critique|generation|gen)\b"
)
"""Words at the start or end of a name that mark a column about the prompt or its making."""
LEAST_WORDS = 2
OF_MEDIA = re.compile(r"(?:\b|_)(?:images?|imgs?|pictures?|pics?|photos?|screenshots?|videos?|audios?|frames?)(?:\b|_)")
IN_TEXT = re.compile(
    r"\A(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR)|\A[^\n]+\.(?:png|jpe?g|gif|webp|bmp|tiff?|mp4|webm|avi|mov|wav|mp3|flac|ogg)"
    r"(?:\?\S*)?\Z",
    re.IGNORECASE,
)
"""The beginning of an image in base64, or the name of a file."""
DATA_URL = ("data:image/", "data:audio/", "data:video/")
MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")
MOST_NAMES = 20
TAKES = frozenset({"parameters", "input_schema", "inputSchema"})
"""Under which name a tool's definition says what it takes."""


@dataclass(frozen=True)
class Reading:
    """What is read of a table, judging by its first rows.

    Attributes:
        read: columns that the layout used, in table order.
        unread: the other columns, except those that this tool writes.
        doubtful: unread columns whose names and contents may belong to the prompt.
    """

    read: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()

    def facts(self) -> dict[str, list[str]]:
        """The form stored in the manifest."""
        return {"read": list(self.read), "not_read": list(self.unread), "doubtful": list(self.doubtful)}

    def notes(self) -> list[str]:
        """What the user should know before the run."""
        if not self.doubtful:
            return []
        several = len(self.doubtful) > 1
        names, it, was = listed(self.doubtful), "them" if several else "it", "were" if several else "was"
        return [
            f"warning: {names} {was} not read, but may belong to the prompt. If so, put {it} into the prompt, or "
            f"name {it}, as in --columns system_prompt={self.doubtful[0]} (history and messages are read too); if not, "
            f"drop {it}."
        ]


def listed(names: Sequence[str]) -> str:
    """These names as a list; of many, only the first."""
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


class _Watched(Mapping[str, Any]):
    """A row that remembers which of its values were read."""

    __slots__ = ("_row", "asked")

    def __init__(self, row: Row) -> None:
        self._row = row
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        value = self._row[name]
        self.asked.add(name)
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._row

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)


def what_is_read(layout: Layout, rows: Sequence[Row], named: Collection[str] = ()) -> Reading:
    """Which columns of these rows are read.

    Args:
        layout: reads the rows.
        rows: the first rows of the table; bad ones are ignored.
        named: columns that the user named, which are read too.

    Raises:
        InputError: an unread column holds images or sound.
    """
    asked: set[str] = set(named)
    good: list[tuple[Row, Record]] = []
    for row in rows:
        watched = _Watched(row)
        try:
            record = layout.parse(watched)
        except RowError:
            continue
        asked |= watched.asked
        good.append((row, record))
    columns = list(dict.fromkeys(str(name) for row, _ in good for name in row))
    own = {column.name for column in table_columns()} | set(all_metrics())
    unread = tuple(name for name in columns if name not in asked and name not in own)
    _refuse_media(unread, good)
    doubtful = tuple(
        name
        for name in unread
        if (_may_shape(name) and any(_adds(row.get(name), one) for row, one in good))
        or any(_offers_tools(row.get(name)) for row, _ in good)
    )
    return Reading(tuple(name for name in columns if name in asked), unread, doubtful)


def _refuse_media(names: Sequence[str], good: Sequence[tuple[Row, Record]]) -> None:
    for name in names:
        if any(_is_media(row.get(name), folded(name)) for row, _ in good):
            raise InputError(
                f"The column {name} holds images or sounds, which are not read.",
                "A model would not see what the prompts may ask about.",
                "Drop the column if the texts make sense without it.",
            )


def _is_media(value: object, name: str) -> bool:
    """Whether a value in a column of this name holds an image or a sound, or says where one is."""
    if isinstance(value, list):
        return any(_is_media(one, name) for one in value)
    if isinstance(value, Mapping):
        # as the datasets library stores a file
        named = isinstance(value.get("path"), str) and IN_TEXT.search(value["path"]) is not None
        return "bytes" in value and "path" in value and (isinstance(value["bytes"], bytes) or named)
    if isinstance(value, str):
        return value.startswith(DATA_URL) or (OF_MEDIA.search(name) is not None and IN_TEXT.search(value) is not None)
    return isinstance(value, bytes) and value.startswith(MAGIC)


def _offers_tools(value: object) -> bool:
    """Whether a value is a list of tools: of mappings with a name and what the tool takes, alone or in `function`."""
    listed: Any = decoded(value) if isinstance(value, str) and '"name"' in value else value
    if not isinstance(listed, list) or not listed:
        return False
    tools = [decoded(one) for one in listed]
    inner = [one.get("function", one) if isinstance(one, Mapping) else one for one in tools]
    return all(isinstance(one, Mapping) and "name" in one and not TAKES.isdisjoint(one) for one in inner)


def _may_shape(name: str) -> bool:
    words = folded(name).replace("_", " ")
    return SHAPING.search(words) is not None and ABOUT.search(words) is None


def _adds(value: object, record: Record) -> bool:
    """Whether a value says something, in more than one word, that is not in the record."""
    texts = [text for text in map(_plain, _texts(decoded(value))) if len(text.split()) >= LEAST_WORDS]
    if not texts:
        return False
    said = [_plain(text) for text in (*(message["content"] for message in record.prompt), *record.responses)]
    return not all(any(text in other for other in said) for text in texts)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _plain(text: str) -> str:
    return " ".join(text.split())
