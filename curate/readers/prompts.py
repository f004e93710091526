"""Any data read for its prompts alone: pairs, candidates, and rows without responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from curate.errors import InputError, RowError
from curate.readers.contract import Layout, Row
from curate.readers.detect import check_no_tools, detect
from curate.readers.parts.column_names import (
    ANSWERS,
    CHOSEN,
    CONTEXT,
    CONVERSATIONS,
    HISTORY,
    PROMPTS,
    REJECTED,
    SIMPO_RESPONSES,
)
from curate.readers.parts.context import read_prompt, with_context
from curate.readers.parts.messages import decoded, normalise
from curate.readers.parts.prompt_columns import first_name, first_present, prompt_column
from curate.readers.parts.slots import slots_of
from curate.readers.refusals import check_printed
from curate.readers.spelling import Spelling, spelling_of
from curate.schema import Message, Record

NO_TOOLS = "which `curate generate` does not read"
RESPONSES = (*CHOSEN, *REJECTED, *ANSWERS, SIMPO_RESPONSES)
SUMMARY = "prompt|question|instruction (+ input, system)|messages, or the prompts of pairs and candidates"


def prompts_layout(sample: Sequence[Row]) -> Layout:
    """How to read the prompts of this data: the records hold a prompt and no response.

    Pairs and candidates have the prompt that their layout reads. A row without responses names its prompt itself; in a
    whole conversation, the prompt is everything before its last answer.

    Args:
        sample: the first rows; some may be bad.

    Raises:
        InputError: no row has a prompt, or prompts are lists in Python's own notation.
    """
    try:
        # the prompt of a tie is a prompt like any other
        inner: Layout | None = detect(sample, ties="keep")
    except InputError:
        inner = None
    spelling = spelling_of(sample)
    check_printed(sample, (*PROMPTS, *CONVERSATIONS))
    if inner is None and not any(_named(spelling.row(row)) for row in sample):
        columns = dict.fromkeys(str(name) for row in sample for name in row)
        raise InputError(
            "The data has no prompts.",
            f"Columns found: {', '.join(columns) or 'none'}.",
            f"Rename the prompts' column. Known: {SUMMARY}.",
        )

    def parse(row: Row) -> Record:
        prompt = inner.parse(row).prompt if inner is not None and _answered(row, spelling) else _alone(row, spelling)
        record = Record(prompt, ())
        check_no_tools(record, NO_TOOLS)
        _check(prompt)
        return record

    name = f"prompts of {inner.name}" if inner is not None else "prompts"
    return Layout(name, SUMMARY, 0, "candidates", lambda rows: True, parse)


def _named(row: Row) -> bool:
    return prompt_column(row) is not None or first_present(row, (*CONVERSATIONS, *CONTEXT, *HISTORY)) is not None


def _answered(row: Row, spelling: Spelling) -> bool:
    row = replace(spelling, messages=frozenset(), lists=frozenset(), spoken=False).row(row)
    slots = slots_of(row)
    columns = (*RESPONSES, *(slots.columns if slots else ()))
    return any(decoded(row.get(name)) not in (None, "", []) for name in columns)


def _alone(row: Row, spelling: Spelling) -> tuple[Message, ...]:
    """The prompt of a row without responses."""
    row = spelling.row(row)
    column = first_name(row, CONVERSATIONS) if prompt_column(row) is None else None
    if column is None:
        found = read_prompt(row)
        if found is None:
            raise RowError("there is no prompt")
        return found.messages
    messages = tuple(normalise(decoded(row[column]), column))
    whole = messages[-1]["role"] == "assistant"
    return with_context(row, messages[:-1] if whole else messages, column=column)


def _check(prompt: tuple[Message, ...]) -> None:
    if not prompt or not prompt[-1]["content"].strip():
        raise RowError("the prompt is empty")
    if prompt[-1]["role"] != "user":
        raise RowError("the prompt does not end with the user")
