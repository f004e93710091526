"""Turns in one value: Anthropic's transcripts, texts rendered in a chat template, and columns of earlier turns.

`Human:` and `Assistant:` after an empty line mark a transcript's turns; the first marker may open the text. Looser
forms are read where their markers can only be markers.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curate.errors import RowError
from curate.readers.parts.markup import UNKNOWN, Template, closed, parse_markup, template_of
from curate.readers.parts.messages import decoded, holds_something, kind_of, message_list, normalise
from curate.schema import Message

ASKED = ("user", "human", "input", "question", "prompt", "instruction", "query")
SAID = ("assistant", "gpt", "bot", "model", "output", "answer", "response")
TURN = re.compile(r"\n\n(Human|Assistant): ?(.*?)(?=\n\n(?:Human|Assistant):|\Z)", re.DOTALL)
START = re.compile(r"\n\n(Human|Assistant):")
OPEN = re.compile(r"\s*(?:###[ ]*)?(?:Assistant|ASSISTANT):\s*\Z")
LINE = re.compile(r"(?:\A|\n)[ \t]*(?:###[ ]*)?(Human|User|USER|Assistant|ASSISTANT):[ ]?")
SYSTEM = re.compile(r"\s*(?:System|SYSTEM):(.*)", re.DOTALL)
MARKER = re.compile(r"(?<!\w)(?:Human|User|USER|Assistant|ASSISTANT):")
ROLES = {"human": "user", "user": "user", "assistant": "assistant"}
CLOSED = "</s>"


@dataclass(frozen=True)
class Inline:
    """A form whose markers need no line of their own.

    Attributes:
        marker: splits a text into what comes before the turns, and then each turn's speaker and text.
        opens: whether text before the first turn is the system's.
        closed: whether an answer followed by another turn must end with `</s>`: else the marker may be a quotation.
        single: whether only one question and its answer can be told apart.
    """

    marker: re.Pattern[str]
    opens: bool = False
    closed: bool = False
    single: bool = False


INLINE = (
    Inline(re.compile(r"\n\n(Human|Assistant): ?"), opens=True),
    Inline(re.compile(r"(?<!\w)(USER|ASSISTANT): ?"), opens=True, closed=True),
    Inline(re.compile(r"###[ ]*(Human|Assistant): ?")),
    Inline(re.compile(r"(?<!\w)(Human|Assistant): ?"), single=True),
)
"""Anthropic's with a system text in front, Vicuna's, Guanaco's, and the same without marks of their own."""


def is_transcript(value: object) -> bool:
    """Whether a value is a string that begins with a turn marker and contains another, or consists of one alone."""
    if not isinstance(value, str):
        return False
    if value.startswith("\n\n"):
        return START.match(value) is not None
    return value.lstrip().startswith("Human:") and "\n\nAssistant:" in value


def is_written_out(value: object) -> bool:
    """Whether a value is text that contains a conversation's turns, in any spelling."""
    return is_transcript(value) or (isinstance(value, str) and template_of(value) is not None)


def parse_transcript(text: str) -> list[Message]:
    """The turns of a transcript, each stripped of surrounding whitespace.

    Raises:
        RowError: there is no turn, or text before the first one.
    """
    if not is_transcript(text):
        first = START.search(text)
        raise RowError("there is text before the first turn" if first else "the transcript has no turns")
    text = text if text.startswith("\n\n") else "\n\n" + text.lstrip()
    return [{"role": ROLES[who.lower()], "content": said.strip()} for who, said in TURN.findall(text)]


def parse_written_out(text: str) -> list[Message]:
    """The turns of a transcript, or of a text in template markup.

    Raises:
        RowError: it is neither, or its turns cannot be separated.
    """
    template = template_of(text)
    return parse_markup(text, template) if template else parse_transcript(text)


def parse_prompt(text: str) -> tuple[list[Message], Template | str] | None:
    """The turns of a rendered prompt, without the open last one, and its form; None for plain text.

    Raises:
        RowError: it begins as one, but its turns cannot be separated, or the assistant's last turn is not
            empty.
    """
    template = template_of(text)
    if template is not None:
        return _without_open(parse_markup(text, template)), template
    if is_transcript(text):
        turns = parse_transcript(text)
        # without the empty line in front, a prompt that quotes a dialogue would look the same
        quoted = not text.startswith("\n\n") and turns[-1]["role"] == "assistant" and turns[-1]["content"]
        return None if quoted else (_without_open(turns), "transcript")
    if UNKNOWN.match(text.lstrip()):
        raise RowError("the prompt begins with the markup of a chat template that is not known")
    if text.rstrip()[-1:] == ":" and OPEN.search(text) and len(MARKER.findall(text)) > 1:
        inline = _inline(text)
        return (inline[:-1] if inline and not inline[-1]["content"] else _loose(text)), "transcript"
    if _ends_with_user(text):
        raise RowError("the prompt begins as a transcript, whose turns cannot be told apart")
    return None


def _ends_with_user(text: str) -> bool:
    """Whether a text consists of `User:` and `Assistant:` lines, with the user's first and last."""
    if LINE.match(text) is None:
        return False
    roles = [ROLES[who.lower()] for who in LINE.findall(text)]
    return len(roles) > 2 and roles[0] == roles[-1] == "user" and "assistant" in roles


def _without_open(turns: list[Message]) -> list[Message]:
    if turns[-1]["role"] != "assistant":
        return turns
    if turns[-1]["content"]:
        raise RowError("the prompt ends within a turn of the assistant")
    if len(turns) == 1:
        raise RowError("there is no prompt before the response")
    return turns[:-1]


def _loose(text: str) -> list[Message]:
    """The turns of `Human: ... Assistant:`, if a marker opens a line and the last, open, marker ends the text."""
    parts = LINE.split(OPEN.sub("", text).lstrip())
    spoken = zip(parts[1::2], parts[2::2], strict=True)
    turns = [{"role": ROLES[who.lower()], "content": said.strip()} for who, said in spoken]
    system = SYSTEM.fullmatch(parts[0])
    if parts[0].strip() and system is None:
        raise RowError("there is text before the first turn")
    alternate = all(turn["role"] == ("user", "assistant")[place % 2] for place, turn in enumerate(turns))
    if not alternate or len(turns) % 2 == 0:
        raise RowError("the turns of the prompt do not alternate between user and assistant")
    if any(MARKER.search(turn["content"]) for turn in turns):
        raise RowError("a turn's marker stands within a line of the prompt")
    return turns if system is None else [{"role": "system", "content": system[1].strip()}, *turns]


def is_spoken(text: str) -> bool:
    """Whether a text has turns of the user and the assistant in lines, or within one, in no stricter form."""
    return not is_written_out(text) and (_in_lines(text) or _inline(text) is not None)


def _in_lines(text: str) -> bool:
    """Whether a text opens with a `User:` or `System:` line and has an `Assistant:` line."""
    opened = LINE.match(text.lstrip())
    if (opened is None or ROLES[opened[1].lower()] != "user") and SYSTEM.match(text) is None:
        return False
    return any(ROLES[who.lower()] == "assistant" for who in LINE.findall(text))


def parse_spoken(text: str) -> list[Message]:
    """The turns of a transcript in lines, or within one, the answer last.

    Raises:
        RowError: the turns do not alternate, or it is not clear where one ends.
    """
    if not _in_lines(text) and (turns := _inline(text)) is not None:
        return turns
    asked, found, said = _last_answer(text.strip())
    if not found:
        raise RowError("the transcript has no answer")
    if MARKER.search(said):
        raise RowError("a turn's marker stands within a line of the response")
    return [*_loose(asked), {"role": "assistant", "content": said.strip()}]


def _inline(text: str) -> list[Message] | None:
    """The turns of a text in the first of the forms `INLINE` that it fits, an answer last; None if they are not clear.

    Clear are turns that alternate and leave no marker, of whichever form, in a text.
    """
    text = f"\n\n{text.strip()}"
    return next((turns for form in INLINE if (turns := _turns_in(text, form))), None)


def _turns_in(text: str, form: Inline) -> list[Message] | None:
    before, *rest = form.marker.split(text)
    speakers, said = [ROLES[who.lower()] for who in rest[::2]], [one.strip() for one in rest[1::2]]
    alternate = bool(said) and speakers == ["user", "assistant"] * (len(said) // 2)
    before = before.strip().removeprefix("<s>").strip()
    if not alternate or (before and not form.opens) or (form.single and len(said) > 2):
        return None
    if form.closed and not all(answer.endswith(CLOSED) for answer in said[1:-1:2]):
        return None
    said = [one.removesuffix(CLOSED).strip() if place % 2 else one for place, one in enumerate(said)]
    if not all(said[:-1]) or any(CLOSED in one or MARKER.search(one) for one in (before, *said)):
        return None
    turns = [{"role": role, "content": one} for role, one in zip(speakers, said, strict=True)]
    named = SYSTEM.fullmatch(before)
    return [{"role": "system", "content": named[1].strip() if named else before}, *turns] if before else turns


def _last_answer(text: str) -> tuple[str, bool, str]:
    """A transcript's text before its last marker, whether that marks an answer, and what follows it."""
    last = next(iter(deque(LINE.finditer(text), maxlen=1)), None)
    if last is None or ROLES[last[1].lower()] != "assistant":
        return text, False, ""
    return text[: last.start()], True, text[last.end() :]


def said_after(text: str, how: Template | str) -> str:
    """A response to a prompt in this form, without the template's markers and whitespace around it.

    Raises:
        RowError: further turns follow the response.
    """
    if isinstance(how, Template):
        return closed(text, how)
    return text.strip()


def history_messages(value: object, name: str) -> list[Message]:
    """The earlier turns in a value, oldest first; empty if there are none.

    Args:
        value: a list of messages, of pairs of question and answer, or of mappings with both; or its JSON text; or a
            transcript.
        name: the column, for the reason.

    Raises:
        RowError: it contains something else.
    """
    inner = decoded(value)
    if isinstance(inner, str):
        if not inner.strip():
            return []
        if is_written_out(inner):
            return parse_written_out(inner)
        raise RowError(f"{name} is text, in which it is not marked who said what")
    if not holds_something(inner):
        return []
    if message_list(inner) is not None:
        return normalise(inner, name)
    if not isinstance(inner, list):
        raise RowError(f"{name} is {kind_of(inner)}, not a list of turns")
    return [message for turn in inner for message in _turn(turn, name)]


def _turn(turn: object, name: str) -> list[Message]:
    asked, said = _both(turn)
    if not isinstance(asked, str) or not isinstance(said, str):
        raise RowError(f"{name} holds {kind_of(turn)} where a question and its answer are expected")
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]


def _both(turn: object) -> tuple[Any, Any]:
    if isinstance(turn, list) and len(turn) == 2:
        return turn[0], turn[1]
    if not isinstance(turn, Mapping):
        return None, None
    asked = [turn[key] for key in ASKED if turn.get(key) is not None]
    said = [turn[key] for key in SAID if turn.get(key) is not None]
    return (asked[0], said[0]) if len(asked) == len(said) == 1 else (None, None)
