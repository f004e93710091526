"""All rows and the rows kept next to each other: margins, distances, lengths, refusals, prompts, sources.

Every figure is over whole columns of numbers, read a few thousand rows at a time. Prompts are counted while the rows
are copied, so that texts are read once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.metrics.registry import as_numbers
from curate.readers.files.table import Table
from curate.schema import EDIT_DISTANCE, EDIT_DISTANCE_NORM, EMBEDDING_DISTANCE, FLAGS, REWARD, TOKENS

Figures = dict[str, tuple[float | None, float | None]]
"""By name: over all rows, and over those kept."""

MARGIN, LENGTH_RATIO, REFUSAL, PROMPTS, PROMPT = "reward_margin", "length_ratio", "refusal", "prompts", "prompt"
DISTANCES = (EDIT_DISTANCE_NORM.name, EDIT_DISTANCE.name, EMBEDDING_DISTANCE.name)
SOURCES = ("source", "dataset")
MOST_SOURCES = 4
NO_SOURCE = "(none)"
LABELS = {
    MARGIN: "reward margin, mean",
    EDIT_DISTANCE_NORM.name: "edit distance, mean (0..1)",
    EDIT_DISTANCE.name: "edit distance, mean (tokens)",
    EMBEDDING_DISTANCE.name: "embedding distance, mean (0..2)",
    LENGTH_RATIO: "chosen / rejected length, median",
    REFUSAL: "share with a refusal",
}
"""What the figures are called in a table; sources are called by name."""
MUCH = 1.25
"""A length ratio, or rows per prompt, that grows by more than this factor is worth a warning."""


class PromptCounter:
    """Counts different prompts among all rows and among those kept, from batches that are read for another reason."""

    def __init__(self, table: Table, kept: np.ndarray) -> None:
        self._hashes = np.zeros(table.rows, np.uint64) if PROMPT in table.schema.names else None
        self._kept = kept

    def see(self, first: int, rows: pa.Table) -> None:
        """Note the prompts of consecutive rows, from this row number on."""
        if self._hashes is not None:
            hashes = pl.Series(rows[PROMPT]).hash(seed=0)
            self._hashes[first : first + rows.num_rows] = hashes.to_numpy()

    def figures(self) -> Figures:
        """Different prompts before and after; nothing if the table has no prompts."""
        if self._hashes is None:
            return {}
        return {PROMPTS: (len(np.unique(self._hashes)), len(np.unique(self._hashes[self._kept])))}

    def expected(self) -> float | None:
        """About how many prompts as many rows, drawn at random, would have."""
        if self._hashes is None or not self._hashes.size:
            return None
        rows_of_each = np.unique(self._hashes, return_counts=True)[1]
        dropped = 1 - self._kept.mean()
        return float((1 - dropped**rows_of_each).sum())


def moved(table: Table, kept: np.ndarray) -> Figures:
    """The figures that the table's columns of numbers give.

    Args:
        table: all rows.
        kept: bool [rows].
    """
    names = set(table.schema.names)
    found: Figures = {}
    if {REWARD.chosen, REWARD.rejected} <= names:
        found[MARGIN] = _both(_of(table, (REWARD.chosen, REWARD.rejected), np.subtract), kept, np.mean)
    elif MARGIN in names:
        found[MARGIN] = _both(_of(table, (MARGIN,), np.positive), kept, np.mean)
    distance = next((name for name in DISTANCES if name in names), None)
    if distance is not None:
        found[distance] = _both(_of(table, (distance,), np.positive), kept, np.mean)
    if {TOKENS.chosen, TOKENS.rejected} <= names:
        found[LENGTH_RATIO] = _both(_of(table, (TOKENS.chosen, TOKENS.rejected), _ratio), kept, np.median)
    if FLAGS.name in names and _holds_texts(table.schema.field(FLAGS.name).type, in_lists=True):
        found[REFUSAL] = _both(_flagged(table, REFUSAL), kept, np.mean)
    return found


def told(figures: Figures, by: str | None, values: np.ndarray | None, kept: np.ndarray) -> Figures:
    """The figures as a manifest and a card call them, with the mean of what the rows were ranked by in front.

    Args:
        figures: what moved.
        by: the metric or column; None without a ranking.
        values: of all rows: float64 [rows], NaN where missing.
        kept: bool [rows].
    """
    shown = {LABELS.get(name, name): both for name, both in figures.items()}
    if by is None or by in figures or values is None:
        return shown
    return {by: _both(values, kept, np.mean)} | shown


def warnings_of(found: Figures, prompts: PromptCounter, by: str | None) -> Iterator[str]:
    """What moved so much that the selection may teach it, with what to try."""
    before, after = found.get(LENGTH_RATIO, (None, None))
    if before and after and abs(math.log(after)) > abs(math.log(before)) + math.log(MUCH):
        than = "longer" if after > 1 else "shorter"
        limit = "length_ratio < 2" if after > 1 else "length_ratio > 0.5"
        other = "" if by == "dcrm" else ", or rank by a metric that sees the distance: --by=dcrm"
        yield (
            f"the rows kept favour {than} answers: chosen / rejected length is {after:.2f} (median), {before:.2f} "
            f'before. Try --where "{limit}"{other}.'
        )
    many, expected = found.get(PROMPTS, (None, None))[1], prompts.expected()
    if many and expected and expected > many * MUCH:
        yield (
            f"the rows kept come from {int(many):,} prompts; as many rows at random would come from about "
            f"{expected:,.0f}. Try --one-per-prompt."
        )


def _of(table: Table, columns: tuple[str, ...], how: Callable[..., Any]) -> np.ndarray:
    """A number of each row, from these columns: float32 [rows], NaN where one is missing."""
    values, first = np.full(table.rows, np.nan, np.float32), 0
    with np.errstate(divide="ignore", invalid="ignore"):
        for batch in table.batches(columns):
            parts = [as_numbers(pl.Series(batch[name])).fill_null(math.nan).to_numpy() for name in columns]
            values[first : first + batch.num_rows] = how(*parts)
            first += batch.num_rows
    return values


def _ratio(chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    return np.where(rejected > 0, chosen / rejected, np.nan)


def _both(values: np.ndarray, kept: np.ndarray, how: Callable[..., Any]) -> tuple[float | None, float | None]:
    return _known(values, how), _known(values[kept], how)


def _known(values: np.ndarray, how: Callable[..., Any]) -> float | None:
    known = values[np.isfinite(values)].astype(np.float64)
    return float(how(known)) if known.size else None


def _holds_texts(kind: pa.DataType, in_lists: bool = False) -> bool:
    if in_lists:
        return (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _holds_texts(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _flagged(table: Table, flag: str) -> np.ndarray:
    """1 where the row has the flag, else 0: float32 [rows]."""
    values, first = np.zeros(table.rows, np.float32), 0
    for batch in table.batches([FLAGS.name]):
        flags = pl.Series(batch[FLAGS.name]).cast(pl.List(pl.String))
        values[first : first + batch.num_rows] = flags.list.contains(flag).fill_null(False).to_numpy()
        first += batch.num_rows
    return values


def sources_moved(table: Table, kept: np.ndarray) -> Figures:
    """The shares of the most frequent sources, where a column names them."""
    name = next((one for one in SOURCES if one in table.schema.names), None)
    if name is None or not _holds_texts(table.schema.field(name).type):
        return {}
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    first = 0
    for batch in table.batches([name]):
        column = pl.Series("value", batch[name])
        inside = column.filter(pl.Series(kept[first : first + batch.num_rows]))
        for counter, part in ((before, column), (after, inside)):
            counter.update(dict(part.fill_null(NO_SOURCE).value_counts().iter_rows()))
        first += batch.num_rows
    most = [value for value, _ in sorted(before.items(), key=lambda one: (-one[1], one[0]))[:MOST_SOURCES]]
    if len(before) < 2 or len(before) > table.rows // 2:
        return {}
    rows = max(int(kept.sum()), 1)
    return {f"{name} {value}": (before[value] / table.rows, after[value] / rows) for value in most}
