"""Reference log-probabilities that stand in the data: are they those of these very tokens, under this very model?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curate.errors import InputError
from curate.schema import POLICY_LOGPS, REF_LOGPS, TOKENS

SIDES = ("chosen", "rejected")
REFERENCE = (REF_LOGPS.chosen, REF_LOGPS.rejected)
POLICY = (POLICY_LOGPS.chosen, POLICY_LOGPS.rejected)
COUNTS = (TOKENS.chosen, TOKENS.rejected)
PREFIX = "curate_"
AGAIN = (
    "Measure them for this trainer: curate score ... --match trl, with the trainer's model, template and max_length."
)


@dataclass(frozen=True)
class Difference:
    """The largest difference between columns of the data and a live forward, in nats per token, and its row."""

    largest: float
    row: int

    def within(self, tolerance: float) -> bool:
        """Whether it may be rounding; never so for a NaN."""
        return self.largest <= tolerance


def found_names(wanted: Sequence[str], present: Sequence[str]) -> tuple[str, ...] | None:
    """These columns under their own names or with curate's prefix; None unless all are there."""
    for names in (tuple(wanted), tuple(PREFIX + name for name in wanted)):
        if set(names) <= set(present):
            return names
    return None


def sample_rows(size: int, rows: int) -> list[int]:
    """Rows spread evenly over the data, the first and the last among them."""
    return sorted({round(i * (size - 1) / max(1, rows - 1)) for i in range(min(size, rows))})


def check_counts(dataset: Any, max_length: int | None, name: str) -> None:
    """Refuse data whose measured sums are over other tokens than the trainer's, where the data says how many they were.

    Raises:
        InputError: naming the first such row.
    """
    counts = found_names(COUNTS, dataset.column_names)
    if counts is None:
        return
    table = dataset.with_format("arrow")[:]
    lengths = {part: _lengths(table[f"{part}_ids"]) for part in ("prompt", *SIDES)}
    for side, column in zip(SIDES, counts, strict=True):
        live = lengths["prompt"] + lengths[side]
        live = (np.minimum(live, max_length) if max_length is not None else live) - lengths["prompt"]
        measured = np.asarray(table[column].to_pylist(), dtype=float)
        wrong = np.flatnonzero(measured != live)
        if wrong.size:
            row = int(wrong[0])
            raise InputError(
                f"{wrong.size} of {live.size} {side} responses were measured over other tokens than TRL counts.",
                f"{name} row {row}: {measured[row]:g} tokens in {column}, {live[row]} in the trainer",
                AGAIN,
            )


def _lengths(column: Any) -> np.ndarray:
    import pyarrow.compute as pc

    found: np.ndarray = pc.list_value_length(column).to_numpy()
    return found


def difference(
    rows: Sequence[int], examples: Sequence[Mapping[str, Any]], names: tuple[str, str], live: np.ndarray
) -> Difference:
    """How far columns are from what a model says now.

    Args:
        rows: numbers of the rows.
        examples: these rows.
        names: the chosen and the rejected column.
        live: log-probabilities of chosen and rejected under the model, summed, [rows, 2].
    """
    given = np.array([[example[name] for name in names] for example in examples], dtype=float)
    tokens = np.array([[max(1, len(example[f"{side}_ids"])) for side in SIDES] for example in examples])
    per_token = np.abs(given - live) / tokens
    worst = per_token.max(axis=1)
    place = int(np.argmax(np.where(np.isnan(worst), np.inf, worst)))
    return Difference(float(worst[place]), rows[place])
