"""Say which layout the data has, and what is wrong with it; loads no model.

High problems teach something wrong, medium ones teach little, low ones are
unusual. --deep also compares all rows with each other.

Examples:
    curate inspect pairs.jsonl
    curate inspect hf://owner/name --columns prompt=question,chosen=answer_a
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from pydantic import NonNegativeInt, PositiveInt

from curate.backends.open import open_chat_tokenizer
from curate.errors import SettingsError
from curate.hygiene import Check
from curate.hygiene.flags import ALL, IDENTICAL_TRUNCATED, LEAKED, ONLY_PAIRS, find, text_checks, wanted_flags
from curate.hygiene.leaks import Leaks, evaluation_prompts
from curate.hygiene.within_limit import WithinLimit
from curate.jobs import summary
from curate.jobs.contract import Job
from curate.jobs.results import Shown
from curate.lines import Grid, Marked, Strong, Summary, counted, percent
from curate.model import Model
from curate.progress import Reporter
from curate.readers import Layout, Source, detect, first_rows, open_source, reward_columns, source_notes
from curate.readers.reading import Reading, listed, what_is_read
from curate.render import Renderer
from curate.reporting.differences import compared, excerpt
from curate.reporting.survey import LengthRuler, Problem, length_ruler, problems
from curate.responses.flagging import evaluations
from curate.responses.tally import EXAMPLES, Example, Tally, count, read_rows
from curate.settings import DataSettings, Files, FirstRows, ReadingSettings, option

CHARACTERS = 400


class InspectSettings(DataSettings, ReadingSettings, FirstRows):
    """The options of `curate inspect`."""

    deep: bool = option(False, "Also look for duplicates, near-duplicates, contradictions, languages and phrases.")
    decontaminate: Files = option(
        (), "Prompts of an evaluation; counts the pairs whose prompt holds one of them. Repeatable.", metavar="FILE"
    )
    tokenizer: str | None = option(
        None, "Also count pairs that are equal within --max-length tokens of this tokenizer.", metavar="PATH"
    )
    max_length: PositiveInt | None = option(None, "Most tokens of prompt and response that a trainer reads.")
    pairs: NonNegativeInt = option(2, "How many pairs to print, drawn at random.", metavar="N")


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
        flags: how many rows carry each flag.
        problems: the same by severity, each with its meaning and first rows.
        length: how far length alone explains the labels; None where the rows are not pairs.
        examples: pairs drawn at random.
        rewards: the reward columns found.
        reading: which columns are read, and as what.
        next: the command to type next; None where no row is usable, or the data came from standard input.
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
    problems: list[Problem] = field(default_factory=list)
    length: LengthRuler | None = None
    examples: list[Example] = field(default_factory=list)
    rewards: str = "none"
    reading: Reading = field(default_factory=Reading)
    next: str | None = None


def inspect(settings: InspectSettings, reporter: Reporter) -> Inspection:
    """Read the whole data once, and once more for checks of the whole of it.

    Raises:
        InputError: it or an evaluation cannot be read, or no layout fits.
        SettingsError: a token limit for candidates, or half of a token limit is given.
        MissingExtra: a package that --deep needs is not installed.
    """
    check_inspect(settings)
    source = open_source(settings.data, settings.columns, settings.limit)
    rows = first_rows(source)
    layout = detect(rows, ties=settings.ties, tools=True)
    wanted, checks = _checks(settings, layout)
    tally = Tally(settings.pairs, places_of_rows=bool(checks))
    with reporter.step("reading", None) as step:
        count(source, layout, tally, step.advance)
    if checks:
        _check(source, layout, wanted, checks, tally, reporter)
    found = Inspection(layout, list(rows[0]), rows=tally.rows)
    found.rejected = {reason: (number, tally.places[reason]) for reason, number in tally.reasons.most_common()}
    found.turns, found.responses = dict(sorted(tally.turns.items())), dict(sorted(tally.responses.items()))
    found.lengths = {name: _quantiles(values) for name, values in tally.words.items() if values}
    found.unique_prompts = len(tally.prompts)
    found.duplicate_rows = tally.rows - len(tally.whole)
    found.flags = dict(tally.flags.most_common())
    found.problems, found.length, found.examples = problems(tally), length_ruler(tally), tally.examples
    columns = reward_columns(rows)
    for note in source_notes(source):
        reporter.note(note)
    if tally.with_tools:
        reporter.note(
            f"{tally.with_tools:,} rows have tools, or calls of them. `curate score` and `curate pair` read such rows "
            "if the chat template of every model writes tools out."
        )
    found.reading = what_is_read(layout, rows)
    found.rewards = ", ".join(columns) if columns else "in the rows" if tally.rewarded else "none"
    found.next = _next(settings, found)
    return found


def _next(settings: InspectSettings, found: Inspection) -> str | None:
    """What is done with such data: select where a metric is there, pair candidates that have rewards, else score."""
    data = summary.typed(settings.data)
    if data is None or not found.rows:
        return None
    by = next((name for name in summary.USUAL if name in found.columns), None)
    if by is not None and found.layout.kind == "pairs":
        return f"curate select {data} --by {by} --top 10% -o best.parquet"
    if settings.columns:
        data += " --columns " + shlex.quote(",".join(f"{name}={one}" for name, one in settings.columns.items()))
    if settings.ties != "drop":
        data += f" --ties {settings.ties}"
    if found.layout.kind == "candidates":
        measured = "" if found.rewards != "none" else " --reward MODEL"
        return f"curate pair {data} --best-of-n2 -o pairs.parquet{measured}"
    models = "" if found.rewards != "none" else " --policy MODEL --reference MODEL"
    return f"curate score {data} -o scored.parquet{models}"


def check_inspect(settings: InspectSettings) -> None:
    """Refuse half of a token limit.

    Raises:
        SettingsError: a tokenizer without a length, or a length without a tokenizer.
    """
    if (settings.tokenizer is None) != (settings.max_length is None):
        given, missing = ("tokenizer", "--max-length=N") if settings.tokenizer else ("max_length", "--tokenizer=PATH")
        raise SettingsError(
            "A token limit is a tokenizer and a length.",
            setting=given,
            value=getattr(settings, given),
            hint=f"Add {missing}.",
        )


def _checks(settings: InspectSettings, layout: Layout) -> tuple[list[str], list[Check]]:
    """The flags to look for beyond those of single rows, and what looks for them."""
    pairs = layout.kind == "pairs"
    beyond = (IDENTICAL_TRUNCATED,) if pairs else ONLY_PAIRS
    wanted = [flag for flag in wanted_flags([ALL]) if flag not in beyond] if settings.deep else []
    if settings.tokenizer is not None and not pairs:
        raise SettingsError(
            "These rows are candidates: it is not known yet which two to compare.",
            setting="tokenizer",
            value=settings.tokenizer,
            hint="Make pairs with `curate pair` first.",
        )
    checks = text_checks(wanted, pairs=pairs)
    if settings.tokenizer is not None:
        tokenizer = open_chat_tokenizer(Model.of(settings.tokenizer))
        wanted.append(IDENTICAL_TRUNCATED)
        checks.append(WithinLimit(Renderer(tokenizer, settings.max_length, "keep_start")))
    if settings.decontaminate:
        wanted.append(LEAKED)
        checks.append(Leaks((one.name, evaluation_prompts(one)) for one in evaluations(settings.decontaminate)))
    return wanted, checks


def _check(
    source: Source, layout: Layout, wanted: Sequence[str], checks: Sequence[Check], tally: Tally, reporter: Reporter
) -> None:
    """Run the checks, and count what they find."""
    with reporter.step("comparing", len(tally.row_places)) as step:
        found = find(checks, lambda: read_rows(source, layout), step.advance, wanted)
    for flag, mask in found.items():
        rows = np.flatnonzero(mask)
        tally.flags.pop(flag, None)
        if rows.size:
            tally.flags[flag] = int(rows.size)
            tally.places[flag] = [tally.row_places[row] for row in rows[:EXAMPLES]]


def _quantiles(values: list[int]) -> tuple[int, int, int, int]:
    series = pl.Series(values)
    low, middle, high = (int(series.quantile(q, "nearest") or 0) for q in (0.05, 0.5, 0.95))
    return low, middle, high, max(values)


def _summary(found: Inspection) -> Summary:
    bad = sum(number for number, _ in found.rejected.values())
    facts = {
        "layout": f"{found.layout.name}: {found.layout.summary}",
        "columns": ", ".join(found.columns),
        "not read": listed(found.reading.unread) or "none",
        "rows": f"{found.rows:,} usable, {bad:,} not",
        "prompts": f"{found.unique_prompts:,} different; messages: " + _counts(found.turns),
        "responses": "a row: " + _counts(found.responses),
        "rewards": found.rewards,
        **({"length": _measured(found.length)} if found.length else {}),
        "problems": "" if found.problems else "none found",
    }
    for name, text in facts.items():
        yield f"{name:>11}  {text}".rstrip()
    for one in found.problems:
        yield f"{one.severity:>11}  {one.name} {one.rows:,}: {one.meaning} ({_places(one.places, one.rows)})"
    yield from found.reading.notes()
    rows = [(f"{name} words", *quantiles) for name, quantiles in found.lengths.items()]
    yield Grid(("length", "5%", "median", "95%", "most"), rows)
    for reason, (number, places) in found.rejected.items():
        yield f"  {number:,} unusable: {reason} ({_places(places, number)})"
    for example in found.examples:
        yield from _example(example)
    if found.examples and found.next is not None:
        yield ""
    yield from summary.next_lines(found.next)


def _measured(length: LengthRuler) -> str:
    if length.longer_wins is None:
        return "both responses of every pair are equally long"
    return (
        f"the longer response is the chosen one in {percent(length.longer_wins)} of {counted(length.pairs, 'pair')}; "
        f"length alone predicts the label with an AUC of {length.auc:.2f} (0.5: not at all)"
    )


def _places(places: Sequence[str], rows: int) -> str:
    """`d.jsonl:3, 7, ...`: the file is named where it changes."""
    shown, last = [], ""
    for place in places:
        file, colon, row = place.rpartition(":")
        shown.append(row if colon and file == last else place)
        last = file
    return ", ".join(shown) + (", ..." if rows > len(places) else "")


def _example(example: Example) -> Summary:
    yield ""
    yield Strong(example.place)
    for message in example.prompt[-2:]:
        shown = excerpt([(False, message["content"])], CHARACTERS)
        yield Strong(f"{message['role']}: ", "".join(text for _, text in shown))
    chosen, rejected = compared(example.chosen, example.rejected)
    yield Strong("chosen")
    yield Marked("chosen", excerpt(chosen, CHARACTERS))
    yield Strong("rejected")
    yield Marked("rejected", excerpt(rejected, CHARACTERS))


def _counts(counts: dict[int, int]) -> str:
    shown = [f"{size}: {count:,}" for size, count in list(counts.items())[:6]]
    return ", ".join(shown) + (", ..." if len(counts) > 6 else "")


JOB = Job("inspect", InspectSettings, inspect, _summary, check_inspect, is_step=False)
