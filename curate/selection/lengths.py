"""`--max-length-gap`: how much longer one response of each pair is than the other."""

from __future__ import annotations

from itertools import chain

import numpy as np

from curate.errors import InputError, RowError, SettingsError
from curate.metrics.registry import as_numbers
from curate.readers import detect, first_rows
from curate.readers.files.table import Table
from curate.schema import TOKENS
from curate.tokens import WORD

CHUNK_ROWS = 4096


def length_gaps(table: Table) -> tuple[np.ndarray, str]:
    """The difference of the two lengths of every row, and its unit.

    Tokens where the table has them, which are those that the policy read; else words and punctuation marks.

    Returns:
        float64 [rows], NaN where a length is missing; `tokens` or `words`.

    Raises:
        SettingsError: there are no tokens, and the rows hold no pairs whose words could be counted.
    """
    names = table.schema.names
    if {TOKENS.chosen, TOKENS.rejected} <= set(names):
        numbers = table.numbers([TOKENS.chosen, TOKENS.rejected])
        chosen, rejected = (as_numbers(numbers[name]) for name in (TOKENS.chosen, TOKENS.rejected))
        return (chosen - rejected).abs().fill_null(float("nan")).to_numpy(), "tokens"
    return _words(table), "words"


def _words(table: Table) -> np.ndarray:
    try:
        layout = detect(first_rows(table.source), "pairs", "keep", tools=True)
    except InputError as error:
        raise _no_lengths(table) from error
    if layout.kind != "pairs":
        raise _no_lengths(table)
    gaps = np.full(table.rows, np.nan)
    for place, row in enumerate(chain.from_iterable(chunk.rows for chunk in table.source.chunks(CHUNK_ROWS))):
        try:
            record = layout.parse(row)
        except RowError:
            record = None
        if record is not None and record.pair is not None:
            chosen, rejected = (len(WORD.findall(record.responses[side])) for side in record.pair)
            gaps[place] = abs(chosen - rejected)
    return gaps


def _no_lengths(table: Table) -> SettingsError:
    return SettingsError(
        "The table has no lengths, and no pairs of texts whose words could be counted.",
        table.source.name,
        f"--max-length-gap reads {TOKENS.chosen} and {TOKENS.rejected}, which `curate score` writes, or the texts.",
    )


def too_far_apart(table: Table, most: int) -> list[tuple[np.ndarray, str]]:
    """The rows to leave out, bool [rows], with the reason."""
    gaps, unit = length_gaps(table)
    return [
        (np.isnan(gaps), f"no length in {unit}"),
        (np.nan_to_num(gaps, nan=0.0) > most, f"lengths differ by more than {most:,} {unit}"),
    ]
