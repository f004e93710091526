"""What several commands say in the same words when they have finished."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from curate.lines import Grid, Next, Summary, quoted
from curate.pairs.table import MetricSummary
from curate.readers.reading import listed
from curate.scorers.judge import VERDICTS

MOST_REASONS = 8
USUAL = ("dcrm", "reward_margin", "dpo_margin", "simpo_margin")
"""What to select by, unless the user knows better: the first of these that was computed."""


class Measured(Protocol):
    """The result of a command that measures."""

    @property
    def rejected(self) -> Mapping[str, int]:
        """Bad rows by reason."""

    @property
    def rejects(self) -> Path | None:
        """Where they are."""

    @property
    def unread(self) -> Sequence[str]:
        """Columns of the data that were not read."""

    @property
    def judges(self) -> Mapping[str, Mapping[str, int]]:
        """Per judge how often it gave each verdict."""

    @property
    def flags(self) -> Mapping[str, int]:
        """How many rows carry each flag."""


def written(out: Path, *commands: str, page: Path | None = None) -> Summary:
    """Where the output is, and what to type next.

    Args:
        out: the output.
        commands: with `OUT` for it, and `@NAME` for a file of this name next to it.
        page: the page on it.
    """
    yield f"wrote {out}"
    if page is not None:
        yield f"wrote {page}"
    for command in commands:
        yield Next(" ".join(_filled(word, out) for word in command.split()))


def after_scoring(kind: str, metrics: Sequence[MetricSummary]) -> Sequence[str]:
    """What to type next."""
    if kind == "candidates":
        return ("curate pair OUT --best-of-n2 -o @pairs.parquet",)
    names = {one.name for one in metrics}
    return [f"curate select OUT --by {name} --top 10% -o @best.parquet" for name in USUAL if name in names][:1]


def typed(data: Sequence[str]) -> str | None:
    """Data as it is typed in a shell; None for standard input, which another command cannot read again."""
    return None if "-" in data else " ".join(map(shlex.quote, data))


def next_lines(command: str | None) -> Summary:
    """The command to type next, if there is one."""
    if command is not None:
        yield Next(command)


def _filled(word: str, out: Path) -> str:
    if word == "OUT":
        return quoted(out)
    return quoted(out.with_name(word[1:])) if word.startswith("@") else word


def unusable(counts: Mapping[str, int], path: Path | None) -> Summary:
    """The most frequent reasons why rows are unusable, and where these rows are."""
    for reason, count in list(counts.items())[:MOST_REASONS]:
        yield f"  {count:,} unusable: {reason}"
    if path is not None:
        yield f"  unusable rows are in {path}"


def unreadable(counts: Mapping[str, int], path: Path | None) -> Summary:
    """How many rows of the files could not be read, why, and where they are."""
    if counts:
        yield f"  {sum(counts.values()):,} more could not be read:"
        yield from unusable(counts, path)


def unread(columns: Sequence[str]) -> Summary:
    """The columns that were not read."""
    if columns:
        yield f"columns not read: {listed(columns)}"


def flagged(flags: Mapping[str, int]) -> Summary:
    """How many rows carry each flag."""
    if flags:
        yield "flags: " + ", ".join(f"{name} {count:,}" for name, count in flags.items())


def judged(judges: Mapping[str, Mapping[str, int]]) -> Summary:
    """How often each judge gave each verdict."""
    for name, verdicts in judges.items():
        shown = "; ".join(f"{count:,} {VERDICTS[verdict]}" for verdict, count in verdicts.items())
        yield f"judge {name}: {shown}"


def read(result: Measured) -> Summary:
    """What was read of the data and how the rows are marked: unusable rows, columns left alone, judges, flags."""
    yield from unusable(result.rejected, result.rejects)
    yield from unread(result.unread)
    yield from judged(result.judges)
    yield from flagged(result.flags)


def parameters(known: Mapping[str, Mapping[str, Any]]) -> Summary:
    """The parameters that decided a metric."""
    for name, values in known.items():
        shown = ", ".join(f"{k} {'+'.join(v) if isinstance(v, tuple) else v}" for k, v in values.items())
        if shown:
            yield f"{name}: {shown}"


def distributions(metrics: Sequence[MetricSummary]) -> Grid:
    """One row per metric; those that agree in every figure share one."""
    names: dict[tuple[float | None, ...], list[str]] = {}
    for one in metrics:
        names.setdefault((one.mean, one.low, one.median, one.high, one.nulls), []).append(one.name)
    rows = [
        (" = ".join(same) if figures[0] is not None else ", ".join(same), *figures) for figures, same in names.items()
    ]
    return Grid(("metric", "mean", "5%", "median", "95%", "null"), rows)
