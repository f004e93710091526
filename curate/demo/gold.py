"""The world's gold reward: what a response is truly worth, computed from the texts alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from curate.demo.lexicon import COUNTS, FACTS, LIST_RULES, POLITE_WORDS, SENTENCE_RULES

Style = Literal["list", "sentence", "any"]

ERROR_POINTS = 0.5
POLITE_POINTS = 0.1
STYLE_POINTS = 0.2
UNANSWERED_POINTS = 0.3
FREE_WORDS = 12
PADDING_POINTS = 0.02
PADDING_CAP = 0.5
GOLD_MIN, GOLD_MAX = -1.5, 1.3

KIND_OF = {
    item: (category, trait) for category, traits in FACTS.items() for trait, items in traits.items() for item in items
}
_WORD = re.compile(r"[a-z]+")
_NUMBERED_LINE = re.compile(r"^[ \t]*\d{1,3}\. ", re.MULTILINE)


@dataclass(frozen=True)
class Request:
    """What a prompt asks for.

    Attributes:
        category: a key of `FACTS`.
        trait: a key of `FACTS[category]`.
        count: how many items are asked for, 2 to 5.
        style: the form that the system message demands.
    """

    category: str
    trait: str
    count: int
    style: Style = "any"

    @property
    def items(self) -> tuple[str, ...]:
        """The right answers."""
        return FACTS[self.category][self.trait]


def asked_style(prompt_messages: Sequence[Mapping[str, str]]) -> Style:
    """The form of answer that the system messages demand; `any` if they demand none."""
    rules = "\n".join(message["content"] for message in prompt_messages if message["role"] == "system")
    if any(rule in rules for rule in LIST_RULES):
        return "list"
    return "sentence" if any(rule in rules for rule in SENTENCE_RULES) else "any"


def read_request(prompt_messages: Sequence[Mapping[str, str]]) -> Request | None:
    """What the last user message asks for; if it leaves out the category, that is the one asked about before.

    Returns:
        The request, or None if the prompt asks for nothing that this world knows.
    """
    users = [message["content"].lower() for message in prompt_messages if message["role"] == "user"]
    if not users:
        return None
    count = next((COUNTS[word] for word in _WORD.findall(users[-1]) if word in COUNTS), None)
    category = next((word for text in reversed(users) for word in _WORD.findall(text) if word in FACTS), None)
    if count is None or category is None:
        return None
    trait = next((trait for trait in FACTS[category] if trait in users[-1]), None)
    return None if trait is None else Request(category, trait, count, asked_style(prompt_messages))


def items_named(text: str) -> list[str]:
    """The items that a text names, in order, with repeats; a plural in -s counts as its singular."""
    found = []
    for word in _WORD.findall(text.lower()):
        item = word if word in KIND_OF else word.removesuffix("s")
        if item in KIND_OF:
            found.append(item)
    return found


def style_of(text: str) -> Style | None:
    """`list` for numbered lines, `sentence` for a capital letter and a full stop, None for neither."""
    if _NUMBERED_LINE.search(text):
        return "list"
    bare = text.strip()
    return "sentence" if bare[:1].isupper() and bare.endswith((".", "!", "?")) else None


def gold_reward(prompt_messages: Sequence[Mapping[str, str]], response_text: str) -> float:
    """What a response is worth, in points; higher is better.

        + right / asked          distinct right items, at most as many as were asked for      0 .. 1
        - 0.5 * faults / asked   faults: wrong items, repeats, right items beyond the number   0 .. 1
        + 0.1                    it opens politely ("Here", "Sure", ...)
        + 0.2                    it has the form that the system message demands; with no demand, a numbered list or
                                 a sentence (capital letter, full stop)
        - 0.02 per word          beyond 12 words that are not items                            0 .. 0.5
        - 0.3                    it names no item at all: a refusal, an empty or a meaningless text

    A prompt unknown to this world asks for one item, and no item is right for it.

    Args:
        prompt_messages: the conversation before the response, as {"role", "content"}.
        response_text: any text.

    Returns:
        Points between `GOLD_MIN` (-1.5) and `GOLD_MAX` (1.3), a pure function of the texts.
    """
    request = read_request(prompt_messages)
    asked, answers = (request.count, request.items) if request else (1, ())
    named = items_named(response_text)
    right = min(asked, len({item for item in named if item in answers}))
    words = _WORD.findall(response_text.lower())
    style, demand = style_of(response_text), request.style if request else asked_style(prompt_messages)
    points = right / asked - min(1.0, ERROR_POINTS * (len(named) - right) / asked)
    points += POLITE_POINTS if words and words[0] in POLITE_WORDS else 0.0
    points += STYLE_POINTS if style is not None and demand in ("any", style) else 0.0
    points -= min(PADDING_CAP, PADDING_POINTS * max(0, len(words) - len(named) - FREE_WORDS))
    # Rounded, so that equal worth reached through different sums is an exact tie.
    return round(points if named else points - UNANSWERED_POINTS, 9)
