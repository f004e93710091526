"""Say which layout the data has, and what is wrong with it; loads no model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from curate.errors import RowError
from curate.hashing import text_hash, text_of
from curate.jobs.contract import Job
from curate.jobs.lines import Grid, Summary
from curate.jobs.results import Shown
from curate.progress import Reporter
from curate.readers import Layout, Source, detect, first_rows, open_source, reward_columns, source_notes
from curate.readers.reading import Reading, listed, what_is_read
from curate.responses.stage import CHUNK_ROWS
from curate.responses.text_flags import text_flags
from curate.schema import Record
from curate.settings import DataSettings, ReadingSettings
from curate.tokens import WORD

EXAMPLES = 3


class InspectSettings(DataSettings, ReadingSettings):
    """The options of `curate inspect`."""


@dataclass(repr=False)
class Inspection(Shown):
    """What `curate inspect` found.

    Attributes:
        rows: usable rows.
        rejected: bad rows by reason, with up to three examples each.
        turns: number of messages in the prompt -> number of rows.
        responses: number of responses -> number of rows.
        lengths: words of prompts and responses: the 5%, 50% and 95% quantiles and the maximum.
        unique_prompts: distinct prompts.
        duplicate_rows: rows that repeat the prompt and responses of an earlier row.
        flags: how many rows carry each text flag, plus `tie` (equal rewards) and `no_reward` (missing rewards).
        rewards: the reward columns found.
        reading: which columns are read, and as what.
    """

    layout: Layout
    columns: list[str]
    rows: int = 0
    rejected: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    turns: dict[int, int] = field(default_factory=dict)
    responses: dict[int, int] = field(default_factory=dict)
    lengths: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    unique_prompts: int = 0
    duplicate_rows: int = 0
    flags: dict[str, int] = field(default_factory=dict)
    rewards: str = "none"
    reading: Reading = field(default_factory=Reading)


def inspect(settings: InspectSettings, reporter: Reporter) -> Inspection:
    """Read the whole data once.

    Raises:
        InputError: it cannot be read, or no layout fits.
    """
    source = open_source(settings.data, settings.columns)
    rows = first_rows(source)
    layout = detect(rows, ties=settings.ties)
    tally = _Tally()
    with reporter.step("reading", None) as step:
        _read(source, layout, tally, step.advance)
    found = Inspection(layout, list(rows[0]), rows=tally.rows)
    found.rejected = {reason: (count, tally.places[reason]) for reason, count in tally.reasons.most_common()}
    found.turns, found.responses = dict(sorted(tally.turns.items())), dict(sorted(tally.responses.items()))
    found.lengths = {name: _quantiles(values) for name, values in tally.words.items() if values}
    found.unique_prompts = len(tally.prompts)
    found.duplicate_rows = tally.rows - len(tally.whole)
    found.flags = dict(tally.flags.most_common())
    columns = reward_columns(rows)
    for note in source_notes(source):
        reporter.note(note)
    found.reading = what_is_read(layout, rows)
    found.rewards = ", ".join(columns) if columns else "in the rows" if tally.rewarded else "none"
    return found


class _Tally:
    """Counts kept while reading."""

    def __init__(self) -> None:
        self.rows = self.rewarded = 0
        self.reasons: Counter[str] = Counter()
        self.places: dict[str, list[str]] = {}
        self.turns: Counter[int] = Counter()
        self.responses: Counter[int] = Counter()
        self.flags: Counter[str] = Counter()
        self.words: dict[str, list[int]] = {"prompt": [], "response": []}
        self.prompts: set[bytes] = set()
        self.whole: set[bytes] = set()

    def reject(self, reason: str, origin: str) -> None:
        self.reasons[reason] += 1
        places = self.places.setdefault(reason, [])
        if len(places) < EXAMPLES:
            places.append(origin)

    def add(self, record: Record) -> None:
        prompt = text_of(record.prompt)
        self.rows += 1
        self.turns[len(record.prompt)] += 1
        self.responses[len(record.responses)] += 1
        self.prompts.add(text_hash(prompt))
        self.whole.add(text_hash(prompt, *record.responses))
        self.words["prompt"].append(sum(len(WORD.findall(m["content"])) for m in record.prompt))
        self.words["response"] += [len(WORD.findall(response)) for response in record.responses]
        self.flags.update(text_flags(record))
        rewards = record.measured.get("reward")
        if rewards and any(value is not None for value in rewards):
            self.rewarded += 1
            if record.pair is not None and not record.tie and rewards[record.pair[0]] == rewards[record.pair[1]]:
                self.flags["tie"] += 1
        elif rewards:
            self.flags["no_reward"] += 1


def _read(source: Source, layout: Layout, tally: _Tally, advance: object) -> None:
    assert callable(advance)
    for chunk in source.chunks(CHUNK_ROWS):
        for reject in chunk.rejects:
            tally.reject(reject.reason, reject.origin)
        for row, origin in zip(chunk.rows, chunk.origins, strict=True):
            try:
                tally.add(layout.parse(row))
            except RowError as error:
                tally.reject(str(error), origin)
        advance(len(chunk.rows))


def _quantiles(values: list[int]) -> tuple[int, int, int, int]:
    series = pl.Series(values)
    low, middle, high = (int(series.quantile(q, "nearest") or 0) for q in (0.05, 0.5, 0.95))
    return low, middle, high, max(values)


def _summary(found: Inspection) -> Summary:
    bad = sum(count for count, _ in found.rejected.values())
    facts = {
        "layout": f"{found.layout.name}: {found.layout.summary}",
        "columns": ", ".join(found.columns),
        "not read": listed(found.reading.unread) or "none",
        "rows": f"{found.rows:,} usable, {bad:,} not",
        "prompts": f"{found.unique_prompts:,} different; messages: " + _counts(found.turns),
        "responses": "a row: " + _counts(found.responses),
        "rewards": found.rewards,
        "duplicates": f"{found.duplicate_rows:,} duplicate rows",
        "flags": ", ".join(f"{name} {count:,}" for name, count in found.flags.items()) or "none",
    }
    for name, text in facts.items():
        yield f"{name:>11}  {text}"
    yield from found.reading.notes()
    rows = [(f"{name} words", *quantiles) for name, quantiles in found.lengths.items()]
    yield Grid(("length", "5%", "median", "95%", "most"), rows)
    for reason, (count, places) in found.rejected.items():
        yield f"  {count:,} rejected: {reason} ({', '.join(places)}{', ...' if count > len(places) else ''})"


def _counts(counts: dict[int, int]) -> str:
    shown = [f"{size}: {count:,}" for size, count in list(counts.items())[:6]]
    return ", ".join(shown) + (", ..." if len(counts) > 6 else "")


JOB = Job("inspect", InspectSettings, inspect, _summary, is_step=False)
