"""The column that holds a row's prompt, and the forms it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Row
from curate.readers.parts.column_names import CONTEXT, CONVERSATIONS, HISTORY, INPUT, INSTRUCTION, LATE_PROMPT, PROMPT
from curate.readers.parts.markup import Template
from curate.readers.parts.messages import decoded, holds_something, is_message, kind_of, message_list, normalise
from curate.readers.parts.transcripts import history_messages, is_written_out, parse_prompt
from curate.readers.parts.unread import offered_tools
from curate.schema import Message
from curate.tokens.tools import response_text

MESSAGES, INFO = "messages", "info"
TEXTS_IN_STRUCT = ("full_text", "post", "article", "text", "content", "prompt", "question")


@dataclass(frozen=True)
class Prompt:
    """The messages before the response, and their form.

    Attributes:
        column: where they were found.
        written_out: the template or kind of transcript in which they were written as one text, or None.
    """

    messages: tuple[Message, ...]
    column: str
    written_out: Template | str | None = None


def first_present(row: Row, names: Sequence[str]) -> Any:
    """The value of the first of these columns that is not null."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def first_name(row: Row, names: Sequence[str]) -> str | None:
    """The first of these columns that is not null."""
    return next((name for name in names if row.get(name) is not None), None)


def prompt_column(row: Row) -> tuple[str, Any] | None:
    """The column that the row names as its prompt, and its value: `instruction` together with `input`."""
    found = next((name for name in PROMPT if row.get(name)), None) or first_name(row, PROMPT)
    if found is not None:
        return found, row[found]
    instruction, extra = row.get(INSTRUCTION), row.get(INPUT)
    if instruction is None or instruction == "":
        if extra is not None:
            return INPUT, extra
        found = first_name(row, LATE_PROMPT)
        return None if found is None else (found, row[found])
    if isinstance(instruction, str) and isinstance(extra, str) and extra:
        return INSTRUCTION, f"{instruction}\n{extra}"
    return INSTRUCTION, instruction


def find_prompt(row: Row, answers: Sequence[str | None]) -> Prompt | None:
    """The row's prompt from its one column; None if it has none.

    Args:
        row: the row.
        answers: the texts of its responses.

    Raises:
        RowError: neither text nor messages, or it ends with another answer.
    """
    return _named(row, answers) or _conversation(row, answers) or _context(row)


def _named(row: Row, answers: Sequence[str | None]) -> Prompt | None:
    named = prompt_column(row)
    if named is None:
        return None
    column, value = named
    inner = decoded(value)
    in_struct = isinstance(inner, Mapping) and (column == INPUT or is_message(inner) or _holds_messages(inner))
    if message_list(inner) is not None or in_struct:
        value = inner
    elif isinstance(value, str) and isinstance(inner, list) and inner and all(isinstance(one, str) for one in inner):
        raise RowError(f"the prompt in {column} is {kind_of(inner)} in JSON, neither text nor messages")
    offered: list[Message] = []
    if isinstance(value, Mapping):
        offered = offered_tools(value) if value.get(MESSAGES) is not None else []
        value = _in_struct(value, column)
    if message_list(value) is not None:
        return Prompt((*offered, *without_answer(normalise(value, column), answers)), column)
    if not isinstance(value, str):
        raise RowError(f"the prompt in {column} is {kind_of(value)}, neither text nor messages")
    found = parse_prompt(value)
    if found is not None:
        return Prompt(tuple(found[0]), column, found[1])
    return Prompt(({"role": "user", "content": value},), column)


def _holds_messages(value: Mapping[str, Any]) -> bool:
    return message_list(value.get(MESSAGES)) is not None


def _in_struct(value: Mapping[str, Any], column: str) -> Any:
    """The prompt in a struct: OpenAI's `messages`, or one text.

    Raises:
        RowError: there is no prompt.
    """
    if is_message(value):
        return [value]
    if value.get(MESSAGES) is not None:
        return value[MESSAGES]
    text = _one_text(value)
    if text is None:
        raise RowError(f"the prompt in {column} is {kind_of(value)}, neither text nor messages")
    return text


def _one_text(value: Mapping[str, Any]) -> str | None:
    texts = [value[name] for name in TEXTS_IN_STRUCT if isinstance(value.get(name), str)]
    return texts[0] if len(texts) == 1 else None


def written_out(row: Row) -> Template | str | None:
    """The form of the row's prompt if it is written as one text; otherwise None."""
    named = prompt_column(row)
    found = parse_prompt(named[1]) if named is not None and isinstance(named[1], str) else None
    return found[1] if found else None


def _conversation(row: Row, answers: Sequence[str | None]) -> Prompt | None:
    column = first_name(row, CONVERSATIONS)
    if column is None:
        return None
    messages = without_answer(normalise(decoded(row[column]), column), answers)
    if messages and messages[-1]["role"] == "assistant":
        raise RowError(f"{column} ends with an answer of the assistant that is none of the row's responses")
    return Prompt(tuple(messages), column)


def _context(row: Row) -> Prompt | None:
    """A prompt in `context` or `history`, which elsewhere add to one, as messages or text; or a text in `info`."""
    for column in (*CONTEXT, *HISTORY):
        value = decoded(row.get(column))
        if not holds_something(value):
            continue
        if isinstance(value, str):
            found = parse_prompt(value)
            if found is not None:
                return Prompt(tuple(found[0]), column, found[1])
            return Prompt(({"role": "user", "content": value},), column)
        messages = history_messages(value, column)
        if messages[-1]["role"] == "assistant":
            raise RowError(f"{column} ends with the assistant, and there is no prompt after it")
        return Prompt(tuple(messages), column)
    info = decoded(row.get(INFO))
    text = _one_text(info) if isinstance(info, Mapping) else None
    return None if text is None else Prompt(({"role": "user", "content": text},), INFO)


def without_answer(messages: list[Message], answers: Sequence[str | None]) -> list[Message]:
    """A conversation without its last message, if that is one of the row's responses."""
    last = messages[-1] if messages else None
    return messages[:-1] if last and last["role"] == "assistant" and response_text(last) in answers else messages


def messages_prompt(row: Row) -> tuple[Message, ...]:
    """The prompt given in addition to whole conversations, as messages; none if it is text, which may be an excerpt."""
    value = first_present(row, PROMPT)
    if isinstance(value, str):
        found = parse_prompt(value) if is_written_out(value) else None
        if found is not None:
            return tuple(found[0])
        value = decoded(value)
    return tuple(normalise(value, "the prompt")) if message_list(value) is not None else ()
