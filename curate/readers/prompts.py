"""Any data read for its prompts alone: pairs and candidates, and rows that hold no response at all."""

from __future__ import annotations

from collections.abc import Sequence

from curate.errors import InputError, RowError
from curate.readers.contract import Layout, Row
from curate.readers.detect import detect
from curate.readers.messages import decoded, message_list, normalise
from curate.readers.sides import REJECTED, first_present, prompt_value, read_prompt, with_system
from curate.schema import Message, Record

CONVERSATIONS = ("messages", "conversations", "conversation")
RESPONSES = ("chosen", *REJECTED, "responses", "generations", "candidates", "all_generated_responses")
SUMMARY = "prompt|question|instruction (+ input, system)|messages, or the prompts of pairs and candidates"


def prompts_layout(sample: Sequence[Row]) -> Layout:
    """How the prompts of this data are read: its records hold a prompt and no response.

    Where the rows are pairs or candidates, their prompt is the one that these are read with. A row without responses
    names its prompt itself; of a whole conversation, the prompt is what stands before its last answer.

    Args:
        sample: the first rows; some may be bad.

    Raises:
        InputError: no row has a prompt.
    """
    try:
        inner: Layout | None = detect(sample)
    except InputError:
        inner = None
    if inner is None and not any(_named(row) for row in sample):
        columns = dict.fromkeys(str(name) for row in sample for name in row)
        raise InputError(
            "The data has no prompts.",
            f"Columns found: {', '.join(columns) or 'none'}.",
            f"Rename the prompts' column. Known: {SUMMARY}.",
        )

    def parse(row: Row) -> Record:
        responses = any(decoded(row.get(name)) not in (None, "", []) for name in RESPONSES)
        prompt = inner.parse(row).prompt if inner is not None and responses else _alone(row)
        return Record(_checked(prompt), ())

    name = f"prompts of {inner.name}" if inner is not None else "prompts"
    return Layout(name, SUMMARY, 0, "candidates", lambda rows: True, parse)


def _named(row: Row) -> bool:
    try:
        return prompt_value(row) is not None or first_present(row, CONVERSATIONS) is not None
    except RowError:
        # a prompt that cannot be read is a prompt; parsing will say what is wrong with it
        return True


def _alone(row: Row) -> tuple[Message, ...]:
    """The prompt of a row without responses."""
    found = read_prompt(row)
    if found is not None:
        return with_system(row, found.messages)
    conversation = first_present(row, CONVERSATIONS)
    if conversation is None:
        raise RowError("there is no prompt")
    if message_list(conversation) is None:
        raise RowError("the conversation is not a list of messages")
    messages = normalise(conversation)
    return with_system(row, tuple(messages[:-1] if messages[-1]["role"] == "assistant" else messages))


def _checked(prompt: tuple[Message, ...]) -> tuple[Message, ...]:
    if not prompt or not prompt[-1]["content"].strip():
        raise RowError("the prompt is empty")
    if prompt[-1]["role"] != "user":
        raise RowError("the prompt does not end with the user")
    return prompt
