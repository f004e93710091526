"""Tables that are refused as a whole: what they contain, and why it cannot be read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from curate.errors import InputError
from curate.readers.contract import Row
from curate.readers.layouts import all_layouts
from curate.readers.parts.column_names import (
    ANSWERS,
    CHOSEN,
    CONVERSATIONS,
    ONE_ANSWER,
    PROMPTS,
    REJECTED,
    RESPONSES,
    REWARDS,
    SIMPO_RESPONSES,
    VERDICTS,
)
from curate.readers.parts.markup import ending
from curate.readers.parts.messages import decoded, message_list
from curate.readers.parts.prompt_columns import first_name, first_present, prompt_column
from curate.readers.parts.sides import PRINTED, both_sides, last_text
from curate.readers.parts.slots import slots_of
from curate.readers.parts.transcripts import is_written_out
from curate.readers.unread_verdicts import verdict_in

PRINTED_LIST = re.compile(r"\[\s*'.*'\s*\]\s*\Z|array\(\[", re.DOTALL)
SPEAKER = re.compile(r"[ ]*(?:###[ ]*)?(?:Assistant|ASSISTANT):")
LISTS = (*ANSWERS, SIMPO_RESPONSES, *REWARDS)
LEAST_WORDS = 3
LABELS = ("label", "labels", "reward", "score", "rating", "helpfulness", "kto_tag", "desirable", "is_chosen")
GIVE_PAIRS = (
    "Give rows with a prompt, a chosen and a rejected response; `curate pair` makes them of lists of responses."
)


def check_texts(sample: Sequence[Row]) -> None:
    """Refuse a table if in most of its first rows a text is not what its column says.

    Raises:
        InputError: columns hold lists as Python or NumPy prints them, responses begin with their prompt, or they end
            with the marker of a chat template.
    """
    check_printed(sample, (*CHOSEN, *REJECTED, *PROMPTS, *CONVERSATIONS, *LISTS))
    _check_speaker(sample)
    pairs = [(prompt, texts) for prompt, texts in _texts(sample) if texts]
    if not pairs:
        return
    repeated = sum(_is_repeated(prompt, texts) for prompt, texts in pairs)
    if 2 * repeated >= len(pairs):
        raise InputError(
            f"The responses begin with the text of their prompt, in {repeated} of the first {len(pairs)} rows.",
            "The model would read it twice.",
            "Cut it off. Where the responses are meant to repeat it, give the prompt as a list of one message.",
        )
    if all(all(map(_is_json_list, texts)) for _, texts in pairs):
        raise InputError(
            "Every response is a list of texts in JSON, where one text is expected.",
            f"The first one: {pairs[0][1][0][:60]}",
            "Give one text each; where it is the turns of a conversation, give messages.",
        )
    marked = [found for _, texts in pairs if all(texts) and (found := ending(texts[0])) and all(map(ending, texts))]
    if 2 * len(marked) >= len(pairs):
        raise InputError(
            f"The responses end with {marked[0]}, a chat template's mark of the end of a turn.",
            f"So do those of {len(marked)} of the first {len(pairs)} rows.",
            "Cut it off: the model's own template sets it.",
        )


def _check_speaker(sample: Sequence[Row]) -> None:
    found = [texts for row in sample if (texts := _responses(row)) and None not in texts]
    named = sum(all(SPEAKER.match(text or "") for text in texts) for texts in found)
    if named and 2 * named >= len(found):
        raise InputError(
            f"The responses begin with `Assistant:`, in {named} of {len(found)} rows.",
            "The model would take it for part of the response.",
            "Cut it off: the model's own template marks who speaks.",
        )


def _responses(row: Row) -> list[str | None]:
    """The texts of a row's responses; None if one is not text."""
    sides = both_sides(row)
    found: Any = sides if sides is not None else first_present(row, RESPONSES)
    return [last_text(one) for one in found] if isinstance(found, list | tuple) else []


def check_printed(sample: Sequence[Row], columns: Sequence[str]) -> None:
    """Refuse a table in which one of these columns holds lists in Python's or NumPy's own notation.

    Raises:
        InputError: names the column.
    """
    sides = {*CHOSEN, *REJECTED}
    for name in dict.fromkeys(columns):
        texts = [row[name] for row in sample if isinstance(row.get(name), str) and row[name].strip()]
        if not texts:
            continue
        messages = sum(bool(PRINTED.match(text.lstrip())) for text in texts)
        lists = sum(bool(PRINTED_LIST.match(text.strip())) and not isinstance(decoded(text), list) for text in texts)
        # one answer may well be a Python list; a column of nothing but lists is a column of printed lists
        printed = lists == len(texts) and (name not in sides or all(map(_both_printed, sample)))
        if 2 * messages >= len(texts) or printed:
            raise InputError(
                f"The column {name} holds {'messages' if messages else 'lists'} as Python prints them, not JSON.",
                f"The first one: {next(t for t in texts if t.lstrip()[:1] in '[{a')[:60]}",
                "Save the data as Parquet or JSON lines, or write the cells with json.dumps.",
            )


def _both_printed(row: Row) -> bool:
    sides = both_sides(row)
    return sides is None or all(isinstance(side, str) and PRINTED_LIST.match(side.strip()) for side in sides)


def _texts(sample: Sequence[Row]) -> Iterator[tuple[str, list[str]]]:
    """For each row the prompt's text (empty if it is not text or holds turns) and its responses' own texts."""
    for row in sample:
        named = prompt_column(row)
        prompt = named[1] if named is not None else None
        texts = _responses(row)
        # the response to a prompt in template markup loses its markers when it is read
        if not texts or is_written_out(prompt) or any(text is None or is_written_out(text) for text in texts):
            continue
        yield prompt if isinstance(prompt, str) else "", [text for text in texts if text is not None]


def _is_json_list(text: str) -> bool:
    inner = decoded(text)
    return isinstance(inner, list) and bool(inner) and all(isinstance(one, str) for one in inner)


def _is_repeated(prompt: str, texts: Sequence[str]) -> bool:
    said = prompt.strip()
    return len(said.split()) >= LEAST_WORDS and all(text.lstrip().startswith(said) for text in texts)


def unreadable(sample: Sequence[Row]) -> InputError:
    """The error to raise if no layout fits the table with these first rows."""
    columns = dict.fromkeys(str(name) for row in sample for name in row)
    found = f"Columns found: {', '.join(columns) or 'none'}."
    how = _how_to_name(sample)
    reason = next((said for row in sample for reason in REASONS if (said := reason(row)) is not None), None)
    if reason is not None:
        return InputError(reason[0], found, f"{reason[1]} {how}" if reason[1].endswith(GIVE_PAIRS) else reason[1])
    known = "; ".join(f"{layout.name}: {layout.summary}" for layout in all_layouts())
    return InputError("No known layout fits the data.", found, f"{how} Known: {known}.")


def _how_to_name(sample: Sequence[Row]) -> str:
    """How to say which columns hold what: in A/B data no column is chosen throughout."""
    verdict = verdict_in(sample)
    if verdict is None:
        return "Say which columns hold what: --columns prompt=COLUMN,chosen=COLUMN,rejected=COLUMN."
    return (
        f"If {verdict} says which response is better: --columns "
        f"prompt=COLUMN,response_a=COLUMN,response_b=COLUMN,winner={verdict}."
    )


def several_structs(names: Sequence[str]) -> InputError:
    """The error to raise for a table with rows in several struct columns."""
    return InputError(
        f"Several columns hold pairs or responses, each in a struct: {', '.join(names[:4])}.",
        "It is not clear which of them to read.",
        "Keep one of them, or give each a row of its own.",
    )


Reason = tuple[str, str]


def _without_prompt(row: Row) -> Reason | None:
    if both_sides(row) is None:
        return None
    return (
        "The rows have a chosen and a rejected response, but no prompt.",
        f"Give it in a column {', '.join(PROMPTS[:4])} or messages, or within chosen and rejected as messages.",
    )


def _two_without_verdict(row: Row) -> Reason | None:
    slots = slots_of(row)
    if slots is None or len(slots.columns) != 2:
        return None
    column = first_name(row, VERDICTS)
    pair = " and ".join(slots.columns)
    if column is not None:
        value = str(row[column])[:40]
        return (
            f"The rows have two responses, {pair}, and {column} (as {value!r}) does not say which is better.",
            "It must name the better one's column, its letter or its number as in that column's name.",
        )
    return (
        f"The rows have two responses, {pair}, and no column that says which is better.",
        f"Looked for: {', '.join(VERDICTS)}, or a score of each. If another column names the better one's column, "
        "letter or number: --columns winner=COLUMN.",
    )


def _in_steps(row: Row) -> Reason | None:
    if not isinstance(decoded(row.get("labels")), list) or first_name(row, RESPONSES) is None:
        return None
    return "The lists are steps of one answer with a label each, not responses to compare.", GIVE_PAIRS


def _unpaired(row: Row) -> Reason | None:
    answer, label = first_name(row, ONE_ANSWER), first_name(row, LABELS)
    if answer is None or label is None:
        return None
    return (
        f"A row has one response ({answer}) and a judgement of it ({label}): the rows are not paired.",
        "Gather the responses of each prompt in one row, as lists responses and rewards; then `curate pair`.",
    )


def _one_conversation(row: Row) -> Reason | None:
    column = first_name(row, CONVERSATIONS)
    if column is None or message_list(decoded(row[column])) is None:
        return None
    return f"The rows have one conversation ({column}), and nothing to compare its answer with.", GIVE_PAIRS


def _prompts_only(row: Row) -> Reason | None:
    column = first_name(row, PROMPTS)
    if column is None or first_name(row, ONE_ANSWER) is not None:
        return None
    return (
        f"The rows have prompts ({column}), and no responses that are recognised.",
        "`curate generate` draws responses to them. " + GIVE_PAIRS,
    )


def _unsplit(row: Row) -> Reason | None:
    name = next((name for name in row if len(row) == 1 and any(mark in str(name) for mark in ";\t|")), None)
    if name is None:
        return None
    return "The file is read as one column, whose name holds separators.", "Save it with commas between its cells."


REASONS = (_without_prompt, _two_without_verdict, _in_steps, _unpaired, _one_conversation, _prompts_only, _unsplit)
