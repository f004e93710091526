"""One response and its score in every row, several rows per prompt: HelpSteer2, OpenRLHF's samples."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from curate.errors import RowError
from curate.readers.contract import Layout, Row
from curate.readers.parts.column_names import (
    ANSWERS,
    CONTEXT,
    CONVERSATIONS,
    HISTORY,
    ONE_ANSWER,
    ONE_SCORE,
    SIMPO_RESPONSES,
)
from curate.readers.parts.prompt_columns import first_name, first_present, prompt_column
from curate.readers.parts.response_lists import record_of, response_of
from curate.readers.parts.scores import number, value_of
from curate.readers.parts.sides import both_sides
from curate.readers.parts.slots import slots_of
from curate.schema import MODEL, REWARD, Record

RANK = "rank"


def _scored(row: Row) -> tuple[str, str] | None:
    """The columns of a row's one response and of its score or rank."""
    if both_sides(row) is not None or slots_of(row) is not None:
        return None
    if any(isinstance(row.get(name), list | dict) for name in (*ANSWERS, SIMPO_RESPONSES)):
        return None
    answer, score = first_name(row, ONE_ANSWER), first_name(row, ONE_SCORE)
    if answer is None or score is None or isinstance(row[score], bool) or isinstance(row[answer], list | dict):
        return None
    return answer, score


def _prompt(row: Row) -> str | None:
    named = prompt_column(row)
    value = named[1] if named is not None else first_present(row, (*CONVERSATIONS, *CONTEXT, *HISTORY))
    return None if value is None else json.dumps(value, sort_keys=True, default=str)


def matches(sample: Sequence[Row]) -> bool:
    """Whether most rows have one response with a number, and a prompt has several responses."""
    said: defaultdict[str, set[str]] = defaultdict(set)
    found = 0
    for row in sample:
        columns, prompt = _scored(row), _prompt(row)
        if columns is not None and prompt is not None and number(row[columns[1]]) is not None:
            found += 1
            said[prompt].add(str(row[columns[0]]))
    return 2 * found >= len(sample) and any(len(texts) > 1 for texts in said.values())


def parse(row: Row) -> Record:
    """One candidate; `curate pair` pools those of a prompt.

    Raises:
        RowError: the row is bad; the message says why.
    """
    answer = first_name(row, ONE_ANSWER)
    if answer is None:
        raise RowError("the response is missing")
    name = next((name for name in ONE_SCORE if name in row), None)
    score = number(row[name]) if name is not None else None
    reward = 0.0 - score if score is not None and name == RANK else score
    measured = {REWARD.name: (reward,)}
    if (model := value_of("string", row.get(MODEL))) is not None:
        measured[MODEL] = (model,)
    return record_of(row, [response_of(row[answer], answer)], measured)


LAYOUT = Layout(
    "long",
    "prompt + response|completion|output|... + reward|score|rating|helpfulness|rank: several rows per prompt",
    80,
    "candidates",
    matches,
    parse,
)
