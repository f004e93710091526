"""Turns of phrase that do not belong in what people read, each with what says it: the one list of all prose tests."""

import re

BANNED = {
    r"beside": "next to, along with",
    r"mend(?:s|ed|ing)?": "fix",
    r"the very": "exactly the",
    r"go(?:es)? on": "resume, continue",
    r"st(?:ands?|ood) in(?! for)": "is in",
    r"(?:that|what|it|which|where \w+) lies": "is",
    r"anew": "again",
    r"told of": "reported to",
    r"of which": "whose, that ... of",
    r"(?<!there )is no(?! longer| more)": "is not a",
    r"go(?:es)? before": "override",
    r"what exceeds": "longer ... are truncated",
    r"what may pass": "retried",
    r"(?:nats|seconds|tokens) a (?:token|row|second|pair)": "per",
}
"""Pattern to the usual replacement; a pattern matches whole words, in any case."""

FINDER = re.compile("|".join(rf"\b{pattern}(?!\w)" for pattern in BANNED), re.IGNORECASE)


def banned(text: str) -> list[str]:
    """The banned turns of a text, each with some words around it, line breaks read as spaces."""
    line = " ".join(text.split())
    return [line[max(0, found.start() - 40) : found.end() + 25] for found in FINDER.finditer(line)]
