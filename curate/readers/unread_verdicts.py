"""Tables of response lists with a column that says which is better: it cannot be read, and must not be lost."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from curate.errors import InputError, RowError
from curate.readers.contract import Layout, Row
from curate.readers.parts.column_names import ANSWERS, SIGNED, VERDICTS, folded
from curate.readers.parts.messages import decoded
from curate.readers.parts.scores import number
from curate.readers.parts.slots import ORDINALS, TIES
from curate.schema import MODEL, REWARD, Record

OF_THE_BEST = re.compile(
    r"(?:best|chosen|preferred|better|winner|winning)(?:_\w+)?_(?:idx|index|id)|best(?:_(?:response|answer|completion))?"
)
WORDS = "response|answer|output|completion|model|assistant|candidate|option"
NAMES_ONE = re.compile(rf"(?:(?:{WORDS})_?)?(?:[a-h]|\d{{1,2}})")
A_VERDICT = re.compile(r"winner|better|verdict|prefer|vote")
PAIR = 2
MOST_LABELS = 8
"""A column of more different values than this does not say which of two responses is better."""
CLASSES = ("label", "labels")
"""Names that may describe the prompt instead, if there are more than two responses."""


def check_verdicts(sample: Sequence[Row], layout: Layout) -> None:
    """Refuse a table if in most of its first rows a column names the better of responses without a score.

    Raises:
        InputError: names the column.
    """
    if layout.kind != "candidates":
        return
    parsed, found = 0, []
    for row in sample:
        try:
            record = layout.parse(row)
        except RowError:
            continue
        parsed += 1
        scored = any(score is not None for score in record.measured.get(REWARD.name, ()))
        if record.pair is None and not scored and (column := _verdict_beside(row, record)) is not None:
            found.append((column, row[column]))
    if found and 2 * len(found) >= parsed:
        column, value = found[0]
        raise InputError(
            f"The rows have a list of responses, and {column} (as {str(value)[:40]!r}) says which is better.",
            f"So do {len(found)} of the first {parsed} rows. Next to a list it is not read.",
            "Put the better response into a column chosen, and the other into rejected.",
        )


def _verdict_beside(row: Row, record: Record) -> str | None:
    responses = record.responses
    models = [model for model in record.measured.get(MODEL, ()) if model is not None]
    for column in row:
        name = folded(column)
        if name in CLASSES and len(responses) != 2:
            continue
        if (name in VERDICTS or OF_THE_BEST.fullmatch(name)) and (
            row[column] in models or _names_one(row[column], responses) or _names_a_struct(row[column], row)
        ):
            return column
    return None


def _names_a_struct(value: object, row: Row) -> bool:
    """Whether a text is in a field, such as its id, of one of the row's responses."""
    listed = [decoded(row.get(name)) for name in ANSWERS]
    structs = [one for value in listed if isinstance(value, list) for one in value if isinstance(one, Mapping)]
    return isinstance(value, str) and any(value in one.values() for one in structs)


def _names_one(value: object, responses: Sequence[str]) -> bool:
    if isinstance(value, bool):
        return len(responses) == PAIR
    if isinstance(value, str) and (value in responses or NAMES_ONE.fullmatch(folded(value))):
        return True
    place = None if isinstance(value, str) else number(value)
    return place is not None and place.is_integer() and 0 <= place <= len(responses)


def verdict_in(sample: Sequence[Row]) -> str | None:
    """The column that, by its name and its values, says for each row which of two responses is better; or None."""
    columns = dict.fromkeys(str(name) for row in sample for name in row)
    return next((name for name in columns if _is_verdict(name, [row.get(name) for row in sample], columns)), None)


def _is_verdict(name: str, values: Sequence[object], columns: Collection[str]) -> bool:
    known = folded(name)
    if known not in (*VERDICTS, *SIGNED) and not A_VERDICT.search(known):
        return False
    given = {str(value) for value in values if value is not None}
    return 1 < len(given) <= MOST_LABELS and all(one in columns or _is_label(one) for one in given)


def _is_label(value: str) -> bool:
    known = folded(value)
    return number(value) is not None or known in ("true", "false", *TIES, *ORDINALS) or bool(NAMES_ONE.fullmatch(known))
