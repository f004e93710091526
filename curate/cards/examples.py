"""Two rows of a table as a card shows them: the texts of others, which stay text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curate.cards.content import CHOSEN, FIRST_ROWS, MARGIN, REJECTED, Content
from curate.cards.markdown import block, code, escaped
from curate.metrics.registry import all_metrics, find
from curate.readers.parts.scores import number
from curate.schema import Message, Record
from curate.tokens.tools import response_text

MOST_OF_PROMPT, MOST_OF_RESPONSE = 600, 800
"""Characters of a text that are shown."""
MOST_RESPONSES = 3
First = tuple[Record, Mapping[str, Any]]


@dataclass(frozen=True)
class Example:
    """One row of a card.

    Attributes:
        title: which row it is, in Markdown.
        text: its numbers and texts, in Markdown.
    """

    title: str
    text: str


def two_examples(content: Content) -> list[Example]:
    """The best and the middle row of the first ones, with what they are worth; fewer where there are fewer."""
    ranked = _ranked(content)
    places = list(dict.fromkeys((0, len(ranked) // 2))) if ranked else []
    some = f" of the first {FIRST_ROWS:,} rows" if len(content.first) == FIRST_ROWS else ""
    if ranked and number(ranked[0][1].get(content.by or "")) is not None:
        titles = [f"Best by {code(content.by)}{some}", f"In the middle by {code(content.by)}{some}"]
    else:
        titles = ["The first", f"In the middle{some}"]
    return [Example(title, _shown(*ranked[place], content.by)) for title, place in zip(titles, places, strict=False)]


def _ranked(content: Content) -> list[First]:
    """The first rows, best first; in the order of the data where nothing ranks them."""
    by = content.by
    if by is None:
        return list(content.first)
    high = by not in all_metrics() or find(by).prefer == "high"
    known = [(value, one) for one in content.first if (value := number(one[1].get(by))) is not None]
    ranked = [one for _, one in sorted(known, key=lambda pair: -pair[0] if high else pair[0])]
    return ranked or list(content.first)


def _shown(record: Record, row: Mapping[str, Any], by: str | None) -> str:
    facts = [_fact(name, row) for name in dict.fromkeys((by, MARGIN)) if name is not None]
    parts = [" · ".join(one for one in facts if one), _prompt(record.prompt)]
    if record.pair is None:
        for place, text in enumerate(record.responses[:MOST_RESPONSES]):
            parts += [f"Response {place + 1} of {len(record.responses)}:", block(text, most=MOST_OF_RESPONSE)]
    else:
        for side, tokens, place in zip(("Chosen", "Rejected"), (CHOSEN, REJECTED), record.pair, strict=True):
            count = number(row.get(tokens))
            length = f" ({count:,.0f} tokens)" if count is not None else ""
            parts += [f"{side}{length}:", block(record.responses[place], most=MOST_OF_RESPONSE)]
    return "\n\n".join(part for part in parts if part)


def _fact(name: str, row: Mapping[str, Any]) -> str:
    value = number(row.get(name))
    return "" if value is None else f"{code(name)} {value:.4g}"


def _prompt(messages: Sequence[Message]) -> str:
    """The conversation before the response: roles are named where there is more than the user's turn."""
    if len(messages) == 1 and messages[0]["role"] == "user":
        return f"Prompt:\n\n{block(messages[0]['content'], most=MOST_OF_PROMPT)}"
    turns = [f"{escaped(one['role'])}:\n\n{block(response_text(one), most=MOST_OF_PROMPT)}" for one in messages[-3:]]
    left_out = f" (the last 3 of {len(messages)} turns)" if len(messages) > 3 else ""
    return "\n\n".join([f"Prompt{left_out}:", *turns])
