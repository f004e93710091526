"""Show a few pairs: the prompt, both answers with their differences marked, the numbers, and why each was kept.

The best pairs by a metric, the worst, or those that a selection left out. Without --by, the metric that selected FILE
ranks its pairs, and pairs that nothing selected come in the order of the file.

Examples:
    curate show best.parquet -n 5
    curate show best.parquet --left-out
    curate show scored.parquet --by dcrm
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import PositiveInt

from curate.jobs.contract import Job
from curate.jobs.results import Shown
from curate.lines import Marked, Next, Strong, Summary, cell
from curate.metrics.catalogue import with_its_metrics
from curate.metrics.registry import all_metrics
from curate.progress import Reporter
from curate.readers.files.table import Table, open_table
from curate.reporting.differences import Piece, compared, excerpt
from curate.reporting.texts import pair_layout, parsed
from curate.schema import (
    EDIT_DISTANCE,
    EMBEDDING_DISTANCE,
    FLAGS,
    PAIR_ID,
    POLICY_LOGPS,
    REF_LOGPS,
    REWARD,
    TOKENS,
    Message,
    Record,
)
from curate.selection.decision import REASON
from curate.selection.values import high_first, ranking_values
from curate.selection.verdict import Again, decided_again, selection_of, source_of, spelled
from curate.settings import DataSettings, Files, MetricSettings, SelectSettings, option
from curate.settings import Record as Recorded
from curate.tokens.tools import response_text
from curate.writers.history import manifests_of

UNUSED = Path("unused")
FIELDS = (REWARD, TOKENS, POLICY_LOGPS, REF_LOGPS)
SIDES = {
    REWARD.name: "reward",
    TOKENS.name: "tokens",
    POLICY_LOGPS.name: "policy logp",
    REF_LOGPS.name: "reference logp",
}
DISTANCES = (EDIT_DISTANCE.name, EMBEDDING_DISTANCE.name)


class ShowSettings(DataSettings):
    """The options of `curate show`."""

    number: PositiveInt = option(3, "How many pairs.", short="-n", metavar="N")
    by: str | None = option(None, "A metric, or any column of numbers: its better end first.", metavar="METRIC")
    worst: bool = option(False, "The other end first.")
    left_out: bool = option(False, "Pairs that the selection left out.")
    selected: Path | None = option(
        None,
        "What `curate select` kept of this table: says of each pair why it was kept or left out.",
        metavar="KEPT.parquet",
        record=Recorded.MEANT,
    )
    characters: PositiveInt = option(1200, "Most characters of a text, from shortly before the first difference.")
    metrics: Files = option((), MetricSettings.model_fields["metrics"].description or "", metavar="FILE")


@dataclass(frozen=True)
class ShownPair:
    """One pair.

    Attributes:
        row: its place in the table, counted from 1.
        value: of what ranks the pairs; None without a ranking.
        rank: its place among the pairs with a value, the best first, from 1.
        chosen: its text in pieces, True for those that are not in the rejected one.
        rejected: likewise.
        sides: what was measured of chosen and rejected, by name.
        numbers: the pair's metrics and distances.
        why: why it was kept or left out; None where no selection says so.
    """

    row: int
    pair_id: str | None
    value: float | None
    rank: int | None
    prompt: tuple[Message, ...]
    chosen: tuple[Piece, ...]
    rejected: tuple[Piece, ...]
    sides: dict[str, tuple[float | None, float | None]]
    numbers: dict[str, float | None]
    flags: tuple[str, ...]
    why: str | None


@dataclass(frozen=True, repr=False)
class Showing(Shown):
    """Some pairs of a table.

    Attributes:
        data: the table's files, as they were named.
        rows: its rows.
        by: what ranks them; None for the order of the file.
        ranked: how many of them have a value.
        rule: the selection, as the command line spells it; None without one.
        characters: most characters of a text to print.
    """

    data: tuple[str, ...]
    rows: int
    by: str | None
    ranked: int
    rule: str | None
    characters: int
    pairs: tuple[ShownPair, ...]


@with_its_metrics
def show(settings: ShowSettings, _: Reporter) -> Showing:
    """Rank the pairs, and read those that were asked for.

    Raises:
        CurateError: the rows are not pairs, nothing can rank them, or the selection was not made from them.
    """
    data, table, again = _opened(settings)
    layout = pair_layout(table)
    ranking = _ranking(settings, table, again)
    order, values = _ranked(table, settings, ranking, again)
    shown = order if again is None else order[again.decision.mask[order] ^ settings.left_out]
    shown = (shown[::-1] if settings.worst else shown)[: settings.number]
    rows = np.sort(shown)
    read = dict(zip(rows.tolist(), table.at(rows).to_pylist(), strict=True))
    ranks = {} if values is None else {int(row): place for place, row in enumerate(order.tolist(), 1)}
    made = selection_of(manifests_of(table))
    pairs = []
    for row in shown.tolist():
        value = None if values is None else float(values[row])
        why = _why(again, made, row, read[row])
        pairs.append(_pair(row, read[row], parsed(layout, read[row]), value, ranks.get(row), why))
    rule = again.rule if again else spelled(made["settings"]) if made else None
    return Showing(data, table.rows, ranking.by, len(ranks), rule, settings.characters, tuple(pairs))


def _opened(settings: ShowSettings) -> tuple[tuple[str, ...], Table, Again | None]:
    """The table, and the selection that was made from it; of a selection whose losses are asked for, its own table."""
    table, selected = open_table(settings.data, UNUSED), settings.selected
    data = settings.data
    if settings.left_out and selected is None and REASON not in table.schema.names:
        selected = Path(data[0])
        data = source_of(selected)
        table = open_table(data, UNUSED)
    return data, table, None if selected is None else decided_again(table, selected, data, settings.metrics)


def _ranking(settings: ShowSettings, table: Table, again: Again | None) -> SelectSettings:
    """What ranks the pairs: --by, else what the selection ranked by, from the same end."""
    made = again.settings if again else None
    told = selection_of(manifests_of(table)) or {}
    by, order = (made.by, made.order) if made else (told.get("settings", {}).get("by"), told.get("order"))
    if settings.by is not None and settings.by != by:
        by, order = settings.by, None
    return SelectSettings(data=settings.data, out=UNUSED, by=by, order=order, top="1", metrics=settings.metrics)


def _ranked(
    table: Table, settings: ShowSettings, ranking: SelectSettings, again: Again | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Row numbers, the best first, and what ranks them; rows without a value are left out."""
    if ranking.by is None:
        return np.arange(table.rows), None
    values = again.values if again and again.settings.by == ranking.by else ranking_values(table, ranking).values
    assert values is not None
    known = np.flatnonzero(~np.isnan(values))
    keys = -values[known] if high_first(ranking) else values[known]
    return known[np.argsort(keys, kind="stable")], values


def _why(again: Again | None, made: Mapping[str, Any] | None, row: int, read: Mapping[str, Any]) -> str | None:
    if again is not None:
        verdict = again.verdict(row)
        said = "kept" if verdict.reason is None else f"left out: {verdict.reason}"
        if verdict.rank is None:
            return said
        short = f", short of it by {-verdict.distance:.3g}" if verdict.distance and verdict.distance < 0 else ""
        return f"{said}; rank {verdict.rank:,} of {verdict.ranked:,}, the cut is at {cell(verdict.cut)}{short}"
    if REASON in read:
        return f"left out: {read[REASON]}"
    return "kept" if made else None


def _pair(
    row: int, read: Mapping[str, Any], record: Record | None, value: float | None, rank: int | None, why: str | None
) -> ShownPair:
    chosen, rejected = (record.responses[place] for place in record.pair) if record and record.pair else ("", "")
    sides = {field.name: _both(read, field.chosen, field.rejected) for field in FIELDS if field.chosen in read}
    rewards = record.measured.get(REWARD.name) if record else None
    if record and record.pair and rewards and REWARD.name not in sides:
        sides = {REWARD.name: (rewards[record.pair[0]], rewards[record.pair[1]])} | sides
    numbers = {name: one for name, one in read.items() if name in DISTANCES or name in all_metrics()}
    flags = tuple(read.get(FLAGS.name) or ())
    pair_id = read.get(PAIR_ID.name)
    left, right = compared(chosen, rejected)
    prompt = record.prompt if record else ()
    return ShownPair(row + 1, pair_id, value, rank, prompt, left, right, sides, numbers, flags, why)


def _both(read: Mapping[str, Any], chosen: str, rejected: str) -> tuple[float | None, float | None]:
    return read[chosen], read.get(rejected)


def _summary(found: Showing) -> Summary:
    if found.rule:
        yield f"selected with {found.rule}"
    for pair in found.pairs:
        yield from _lines(pair, found)
    if not found.pairs:
        yield "No pair to show."
    named = next((pair for pair in found.pairs if pair.pair_id), None)
    if named and named.pair_id:
        yield ""
        yield Next(f"curate explain {' '.join(map(shlex.quote, found.data))} {named.pair_id[:12]}")


def _lines(pair: ShownPair, found: Showing) -> Summary:
    title = f"row {pair.row:,}" + (f" ({pair.pair_id[:12]})" if pair.pair_id else "")
    rank = f" {found.by} {cell(pair.value)}, rank {pair.rank:,} of {found.ranked:,}" if pair.rank else ""
    yield ""
    yield Strong(title, rank)
    for message in pair.prompt:
        label = message["role"] if len(pair.prompt) > 1 else "prompt"
        yield Strong(f"{label}: ", _cut(response_text(message), found))
    sides: list[tuple[Literal["chosen", "rejected"], int, tuple[Piece, ...]]]
    sides = [("chosen", 0, pair.chosen), ("rejected", 1, pair.rejected)]
    for side, place, pieces in sides:
        said = [f"{SIDES[name]} {cell(both[place])}" for name, both in pair.sides.items()]
        yield Strong(side, f"  {', '.join(said)}" if said else "")
        yield Marked(side, excerpt(pieces, found.characters))
    numbers = [f"{name} {cell(value)}" for name, value in pair.numbers.items()]
    if numbers:
        yield Strong("numbers: ", ", ".join(numbers))
    if pair.flags:
        yield Strong("flags: ", ", ".join(pair.flags))
    if pair.why:
        yield Strong("why: ", pair.why)


def _cut(text: str, found: Showing) -> str:
    return "".join(part for _, part in excerpt([(False, text)], found.characters))


JOB = Job("show", ShowSettings, show, _summary, is_step=False)
