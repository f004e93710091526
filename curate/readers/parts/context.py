"""What a row says before its responses: the prompt, and the columns that add to it or cannot be merged into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curate.errors import RowError
from curate.readers.contract import Row
from curate.readers.parts.agreement import agreed, system_of, turns_of
from curate.readers.parts.column_names import (
    CONTEXT,
    CONVERSATIONS,
    HISTORY,
    INPUT,
    INSTRUCTION,
    PASSAGES,
    PROMPTS,
    SYSTEM,
    UNREAD_NAMES,
)
from curate.readers.parts.messages import (
    CONTENTS,
    decoded,
    holds_something,
    kind_of,
    message_list,
    normalise,
    text_of,
)
from curate.readers.parts.prompt_columns import MESSAGES, Prompt, find_prompt, first_name, without_answer
from curate.readers.parts.transcripts import history_messages, is_written_out, parse_prompt
from curate.readers.parts.unread import offered_tools
from curate.schema import TOOLS, Message

OTHER_PROMPTS, OF_MESSAGES = frozenset({*PROMPTS, *CONTEXT, *PASSAGES}), frozenset({*CONVERSATIONS, *CONTEXT})
SHAPING = OTHER_PROMPTS | OF_MESSAGES | {*SYSTEM, *HISTORY, *UNREAD_NAMES}


def read_prompt(row: Row, answers: Sequence[str | None] = ()) -> Prompt | None:
    """The row's prompt with its system text and earlier turns; None if it has none.

    Args:
        row: the row.
        answers: the texts of its responses: a conversation that ends with one of them includes it, but not as prompt.

    Raises:
        RowError: neither text nor messages; two columns contradict each other; or one cannot be read as text.
    """
    found = find_prompt(row, answers)
    if found is None:
        return None
    messages = with_context(row, found.messages, answers, found.column)
    return found if messages is found.messages else Prompt(messages, found.column, found.written_out)


def with_context(
    row: Row,
    messages: tuple[Message, ...],
    answers: Sequence[str | None] = (),
    column: str | None = None,
    known: Sequence[Any] = (),
) -> tuple[Message, ...]:
    """A context with what the other columns of its row add before it.

    Args:
        row: the row.
        messages: the context as read.
        answers: the texts of the row's responses.
        column: the column it was read from; None if it is part of the responses, which may then be whole conversations
            and need no prompt.
        known: values already read, so that a column that repeats one adds nothing.

    Raises:
        RowError: a column holds something that cannot precede the context, or that contradicts it.
    """
    present = SHAPING.intersection(row)
    if not present or present == {column}:
        return messages
    offered = offered_tools(row)
    if column is not None and not OTHER_PROMPTS.isdisjoint(present):
        _check_other_prompts(row, messages, column)
    if not OF_MESSAGES.isdisjoint(present):
        messages = _with_conversations(row, messages, answers, column, known)
    messages = _with_history(row, messages, column)
    messages = with_system(row, messages)
    if not offered or (messages and messages[0] == offered[0]):
        return messages
    if messages and messages[0]["role"] == TOOLS:
        raise RowError("two columns offer different tools")
    return (*offered, *messages)


def _check_other_prompts(row: Row, messages: tuple[Message, ...], column: str) -> None:
    """Refuse a row in which another prompt column, or a text in `context`, says something that the prompt does not.

    Raises:
        RowError: names the column.
    """
    for name in (*PROMPTS, *CONTEXT, *PASSAGES):
        if name == column or (column == INSTRUCTION and name == INPUT):
            continue
        value = row.get(name)
        nested = isinstance(value, list | dict) and name not in PROMPTS and message_list(value) is None
        if nested and holds_something(value):
            raise RowError(f"{name} is {kind_of(value)}, which cannot be read into the prompt")
        if value is None or not isinstance(value, str):
            continue
        said = value.strip()
        if said and not any(said in message["content"] for message in messages) and not _same_turns(value, messages):
            raise RowError(f"the columns {column} and {name} hold different texts, and it is not clear how they belong")


def _same_turns(value: str, messages: tuple[Message, ...]) -> bool:
    """Whether a text contains, as JSON or rendered, only turns that are in these messages."""
    inner = decoded(value)
    inner = inner.get(MESSAGES) if isinstance(inner, dict) else inner
    if message_list(inner) is not None:
        turns = normalise(inner)
    elif is_written_out(value):
        found = parse_prompt(value)
        turns = found[0] if found else []
    else:
        return False
    return bool(turns) and all(turn in messages for turn in turns)


def _with_conversations(
    row: Row, messages: tuple[Message, ...], answers: Sequence[str | None], column: str | None, known: Sequence[Any]
) -> tuple[Message, ...]:
    """The context, plus what the row's other message columns hold before the same question."""
    for name in (*CONVERSATIONS, *CONTEXT):
        value = decoded(row.get(name))
        if name == column or not isinstance(value, list | dict | str) or not holds_something(value):
            continue
        if value in known:
            continue
        if message_list(value) is None:
            if column is not None and name in CONVERSATIONS:
                raise RowError(f"{name} is {kind_of(value)} where messages are expected")
            continue
        whole = normalise(value, name)
        messages = agreed(messages, whole, without_answer(whole, answers), name, column is not None)
    return messages


def _with_history(row: Row, messages: tuple[Message, ...], column: str | None) -> tuple[Message, ...]:
    """The context preceded by the earlier turns in the history column, unless it has them."""
    name = first_name(row, HISTORY)
    if name is None or name == column:
        return messages
    value = row[name]
    if isinstance(value, str) and any(value.strip() in message["content"] for message in messages):
        return messages
    turns = history_messages(value, name)
    if not turns:
        return messages
    own, earlier = turns_of(messages), turns_of(turns)
    if own[: len(earlier)] == earlier:
        return messages
    if earlier[-1:] == own[-1:] and len(own) == 1:
        earlier = earlier[:-1]
    if len(own) > 1 or (earlier and earlier[-1]["role"] != "assistant"):
        raise RowError(f"the turns of {name} do not lead to the prompt")
    system = system_of(messages) or system_of(turns)
    return (*system, *earlier, *own)


def system_text(value: Any, name: str) -> Any:
    """A system text, which Gemini gives as a struct of parts, and others as a list of parts or as a message.

    Raises:
        RowError: it is a struct or a list without a text.
    """
    if not isinstance(value, list | dict) or not holds_something(value):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        return text_of(value)
    parts = (
        next((value[key] for key in CONTENTS if value.get(key) is not None), None) if isinstance(value, dict) else None
    )
    if parts is None:
        raise RowError(f"{name} is {kind_of(value)}, not the text of a system message")
    return text_of(parts)


def with_system(row: Row, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The context preceded by the row's system text, unless it has that already.

    Raises:
        RowError: the row has two different ones.
    """
    for name in SYSTEM:
        if name not in row:
            continue
        text = system_text(row[name], name)
        if not isinstance(text, str) or not text.strip():
            continue
        if not messages or messages[0]["role"] != "system":
            messages = ({"role": "system", "content": text}, *messages)
        elif text.strip() not in messages[0]["content"]:
            raise RowError(f"the text in {name} and the system message of the prompt are different")
    return messages
