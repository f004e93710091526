"""Small tables in the columns of known data sets, and what must come of them. The texts are made up."""

from curate.errors import InputError, RowError
from curate.readers import detect

ASKED, GOOD, BAD = "Why is the sky blue?", "Because air scatters blue light.", "It mirrors the sea."
USER = [("u", ASKED)]
REFUSED, REJECTED = "the table is refused", "the row is rejected"


def say(role, content):
    return {"role": role, "content": content}


def talk(answer):
    return [say("user", ASKED), say("assistant", answer)]


def parts(answer):
    """A conversation whose contents are lists of parts, with fields that only images use."""
    return [
        say(role, [{"type": "text", "text": text, "image": None, "mimeType": None}])
        for role, text in (("user", ASKED), ("assistant", answer))
    ]


def rated(rating):
    return {name: {"Rating": rating, "Rationale": "so"} for name in ("helpfulness", "honesty")}


def pair(chosen=GOOD, rejected=BAD, p=None, r=()):
    """An expected pair: its prompt as (first letter of the role, text), its sides and their rewards."""
    return p or USER, chosen, rejected, r


def check(rows, expected):
    """Whether the table is refused, or every row is read as expected."""
    try:
        layout = detect(rows, "pairs")
    except InputError:
        assert expected == REFUSED
        return
    assert [_read(layout, row) for row in rows] == expected


def _read(layout, row):
    try:
        record = layout.parse(row)
    except RowError:
        return REJECTED
    prompt = [(message["role"][0], message["content"]) for message in record.prompt]
    rewards = tuple(record.measured.get("reward", ()))
    if record.pair is None:
        return prompt, record.responses, rewards
    return prompt, *(record.responses[place] for place in record.pair), rewards
