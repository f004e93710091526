"""The two plots of a card: what the rows are worth, and how long their responses are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curate.cards.content import CHOSEN, FIRST_ROWS, REJECTED, Content
from curate.cards.markdown import code
from curate.cards.png import histogram
from curate.metrics.registry import all_metrics
from curate.schema import SAMPLED, TOKENS, Record, table_columns
from curate.tokens import WORD

BARS = 30
VALUES, LENGTHS = "plot-values.png", "plot-lengths.png"
SIDES = ("chosen (blue)", "rejected (orange)")
PLOTS = (LENGTHS, VALUES)
"""The files of the plots, next to the card."""
EDGES = (0.005, 0.995)
"""Values outside these quantiles are counted in the outermost bars."""


@dataclass(frozen=True)
class Plot:
    """A picture with what it shows.

    Attributes:
        file: its name.
        title: what it shows, in Markdown.
        caption: its figures, in Markdown.
        content: the PNG file.
    """

    file: str
    title: str
    caption: str
    content: bytes


def plots_of(content: Content) -> list[Plot]:
    """At most two plots: none where nothing is known."""
    return [*_values(content), *_lengths(content)]


def _values(content: Content) -> Iterator[Plot]:
    by = content.by
    if by is not None and np.isfinite(content.numbers.get(by, np.zeros(0))).any():
        unit = _unit(by)
        yield from _plot(VALUES, f"{code(by)}{f', {unit}' if unit else ''}", {"": content.numbers[by]}, content.every)
        return
    unit, sides, every = _sides(content)
    if len(sides) == 2:  # the data has no scores: how much longer the chosen responses are is worth knowing too
        chosen, rejected = sides.values()
        title = f"How many {unit} longer the chosen response is than the rejected"
        yield from _plot(VALUES, title, {"": chosen - rejected}, every)


def _lengths(content: Content) -> Iterator[Plot]:
    unit, sides, every = _sides(content)
    first = f" in the first {len(content.first):,} rows" if unit == "words" and len(content.first) == FIRST_ROWS else ""
    if sides:
        yield from _plot(LENGTHS, f"Length of the responses{first}, {unit}", sides, every)


def _sides(content: Content) -> tuple[str, dict[str, np.ndarray], int]:
    """The unit of the lengths, the lengths by what they are of, and every which row they show."""
    lengths = [content.numbers.get(name, np.zeros(0)) for name in (CHOSEN, REJECTED)]
    if all(np.isfinite(one).any() for one in lengths):
        return "tokens", dict(zip(SIDES, lengths, strict=True)), content.every
    if TOKENS.candidates in content.numbers:
        return "tokens", {"": content.numbers[TOKENS.candidates]}, content.every
    return "words", _counted([record for record, _ in content.first]), 1


def _counted(records: Sequence[Record]) -> dict[str, np.ndarray]:
    """Words of the responses, by side where the rows are pairs; nothing without rows."""
    if not records:
        return {}
    pairs = [record for record in records if record.pair is not None]
    if len(pairs) < len(records):
        texts = [text for record in records for text in record.responses]
        return {"": np.array([float(len(WORD.findall(text))) for text in texts])}
    sides = [[_words(one, side) for one in pairs] for side in (0, 1)]
    return {name: np.array(side) for name, side in zip(SIDES, sides, strict=True)}


def _words(record: Record, side: int) -> float:
    assert record.pair is not None
    return float(len(WORD.findall(record.responses[record.pair[side]])))


def _plot(file: str, title: str, sides: Mapping[str, np.ndarray], every: int) -> Iterator[Plot]:
    known = {name: values[np.isfinite(values)] for name, values in sides.items()}
    everything = np.concatenate(list(known.values()))
    if not everything.size:
        return
    edges = _edges(everything)
    counts = [np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] for values in known.values()]
    captions = [_caption(name, known[name], sides[name].size - known[name].size) for name in known]
    thinned = [f"every {every:,}th row"] if every > 1 else []
    yield Plot(file, title, "; ".join([*captions, *thinned]), histogram(counts, edges))


def _edges(values: np.ndarray) -> np.ndarray:
    low, high = (float(one) for one in np.quantile(values, EDGES))
    if low == high:
        low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    if high - low < BARS and np.array_equal(values, np.round(values)):  # a bar for each whole number
        return np.arange(np.floor(low) - 0.5, np.ceil(high) + 1)
    return np.linspace(low, high, BARS + 1)


def _caption(name: str, values: np.ndarray, missing: int) -> str:
    low, middle, high = (f"{one:.4g}" for one in (values.min(), np.median(values), values.max()))
    left_out = f", {missing:,} without a value" if missing else ""
    return f"{f'{name} ' if name else ''}from {low} to {high}, median {middle}{left_out}"


def _unit(name: str) -> str:
    metric = all_metrics().get(name)
    units = {column.name: column.unit for column in (*SAMPLED, *table_columns())}
    return metric.unit if metric is not None else units.get(name, "")
