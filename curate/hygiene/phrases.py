"""Phrases by which a response gives its writer away: who made it, and when its knowledge ends.

English only, and by wording alone: a story in which a robot says "I am an AI language model" is flagged, and so is a
right answer to "Who are you?". A model that is to have a name of its own should learn from neither side of such pairs.
The wordings are those that cleaned versions of ShareGPT and UltraFeedback were searched for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from curate.hygiene import Again, Found, Rows

NAMES = (
    r"chatgpt|gpt-?[345]\w*|claude|gemini|bard|palm|llama|alpaca|vicuna|wizardlm|qwen|tongyi|deepseek|mi[sx]tral|grok"
    r"|copilot|falcon|zephyr|olmo|t[uü]lu|gemma|phi-\d|command[- ]r|open ?assistant|koala|dolly|starchat"
)
MAKERS = (
    r"open ?ai|anthropic|google|deepmind|meta(?: ai)?|microsoft|mistral(?: ai)?|deepseek|alibaba(?: cloud)?|cohere|xai"
    r"|lmsys|stanford|databricks|hugging ?face|ai2|the allen institute|nvidia"
)
KIND = r"(?:large |text-based |artificial intelligence |ai |virtual |conversational )*"
MACHINE = rf"{KIND}(?:language model|ai\b|artificial intelligence\b|chatbot|assistant (?:trained|developed|created) by)"
I_AM = r"\bi(?:['’]m| am)"
SELF = re.compile(
    rf"\bas an? {MACHINE}|{I_AM} (?:just |only |merely |actually |simply )?an? {MACHINE}"
    rf"|{I_AM} (?:called |named )?(?:{NAMES})\b|\bmy name is (?:{NAMES})\b"
    rf"|\b(?:i|i am|i['’]m) (?:was |were )?(?:developed|created|trained|made|built|designed) by (?:{MAKERS})\b"
    rf"|{I_AM} [^.!?\n]{{1,60}}\b(?:developed|created|trained|made|built|designed) by (?:{MAKERS})\b"
)
LAST = r"(?:last|latest|most recent|current)"
WHAT = r"(?:knowledge|training(?: data)?|information|data(?:base)?)"
UNTIL = r"(?:goes|go|extends|extend|runs|reaches) (?:only )?(?:up )?(?:to|until)"
ENDS = rf"(?:cut-?off|cut off|cuts off|{UNTIL}|(?:is|was|are) (?:only )?(?:limited to|current|up to date|last updated)"
ENDS += r"|(?:ends|stops) (?:in|at))"
FRESH = r"(?:real-?time|up-to-date|live|current) (?:information|data|access|events|news)"
YEAR = r"(?:up to|until|in|as of) (?:[a-z]+ )?20\d\d"
CUTOFF = re.compile(
    rf"\bmy (?:{LAST} )?(?:{WHAT} )+(?:cut-?off|cut off|update)\b"
    rf"|\b(?:as of|since|until|up to|after|before|at) my (?:{LAST} )+(?:update|training)\b"
    rf"|\bmy {WHAT}[^.!?\n]{{0,30}}\b{ENDS}"
    rf"|\bi (?:do not|don['’]t|cannot|can['’]t) (?:have )?(?:access (?:to )?)?{FRESH}"
    rf"|\bi (?:was|am) (?:last )?(?:trained|updated)[^.!?\n]{{0,30}}\b{YEAR}"
)
PHRASES = {
    "self_identification": (SELF, ("i am", "i'm", "i’m", "as an", "as a ", "my name", " by ")),
    "knowledge_cutoff": (CUTOFF, ("my ", "i do", "i can", "i was", "i am")),
}
"""By flag: the pattern in lower case, and what a text must hold for it to be worth searching."""


class Phrases:
    """Flags: `self_identification`, `knowledge_cutoff`."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[np.ndarray]] = {flag: [] for flag in PHRASES}

    def read(self, rows: Rows) -> None:
        """Search all responses."""
        for flag, holds in says(rows.flat).items():
            self._pieces[flag].append(rows.any_of(holds))

    def found(self, again: Again) -> Found:
        """What was found while reading."""
        return {flag: np.concatenate(pieces) for flag, pieces in self._pieces.items() if pieces}


def says(texts: Sequence[str]) -> Found:
    """Which texts hold the phrases of each flag."""
    lowered = [text.lower() for text in texts]
    return {
        flag: np.array([any(hint in low for hint in hints) and bool(pattern.search(low)) for low in lowered], bool)
        for flag, (pattern, hints) in PHRASES.items()
    }
