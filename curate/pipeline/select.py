"""`curate select`: keep the best rows of a scored table, whoever scored it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.errors import SettingsError, did_you_mean
from curate.metrics.registry import (
    all_metrics,
    as_numbers,
    check_options,
    columns_read,
    complete_columns,
    compute,
    find,
    missing_column,
    parameters_used,
)
from curate.picking import Amount, End, parse_amount, pick
from curate.pipeline.conditions import eligible
from curate.pipeline.copying import copy_rows
from curate.pipeline.presets import with_preset
from curate.progress import Reporter
from curate.readers import input_paths
from curate.readers.tables import Table, open_table
from curate.recipe import SelectSettings
from curate.store import check_out
from curate.version import __version__
from curate.writers.parquet import MANIFEST_KEY, check_folder

REASON = "reject_reason"


@dataclass(frozen=True)
class SelectResult:
    """What a run of `curate select` did.

    Attributes:
        rows: rows of the table.
        kept: rows kept.
        reasons: rows not kept, by reason.
        preset: the preset used.
        by: the metric or column, None where only conditions chose.
        order: `highest` or `lowest` first.
        cut: the least good value kept.
        computed: whether the metric was computed here.
        parameters: per metric the parameters used.
    """

    out: Path
    rows: int
    kept: int
    reasons: dict[str, int]
    preset: str | None
    by: str | None
    order: str
    cut: float | None
    computed: bool
    parameters: dict[str, dict[str, Any]]


def select(settings: SelectSettings, _: Reporter) -> SelectResult:
    """Decide on whole columns, then copy the rows that are kept.

    Raises:
        CurateError: whatever the user can mend; nothing is at the outputs then that was not there before.
    """
    settings, end, amount = check_select(settings)
    _check_places(settings)
    table = open_table(settings.data)
    values, used = _values(table, settings)
    high_first = _high_first(settings)
    frame, reasons = eligible(table, settings, values, high_first)
    kept = pick(frame, end, amount, high_first=high_first) if amount else frame["row"]
    kept = _within(frame.filter(pl.col("row").is_in(kept.implode())), settings)
    rest = frame.filter(~pl.col("row").is_in(kept.implode()))
    decision = Decision(pl.repeat(False, reasons.len(), eager=True).scatter(kept, True), _why(reasons, rest, settings))
    added = {values.name: values} if values is not None and used else {}
    order = "highest" if high_first else "lowest"
    manifest = _manifest(table, settings, decision, order, used)
    if settings.rejects is not None:
        not_kept = {**manifest, "part": "not kept"}
        copy_rows(table, {**added, REASON: decision.reasons}, not_kept, settings.rejects, ~decision.mask)
    copy_rows(table, added, manifest, settings.out, decision.mask)
    best = values.filter(decision.mask) if values is not None else None
    cut = None if best is None else (best.min() if high_first else best.max())
    return SelectResult(
        settings.out,
        decision.mask.len(),
        decision.kept,
        decision.counts,
        settings.preset,
        settings.by,
        order,
        float(cut) if isinstance(cut, int | float) else None,
        bool(added),
        used,
    )


@dataclass(frozen=True)
class Decision:
    """Per row whether it is kept (bool), and why not (text, null where it is kept)."""

    mask: pl.Series
    reasons: pl.Series

    @property
    def kept(self) -> int:
        """How many rows are kept."""
        return int(self.mask.sum())

    @property
    def counts(self) -> dict[str, int]:
        """How many rows are not kept, by reason, the commonest first."""
        return dict(self.reasons.filter(~self.mask).value_counts(sort=True, name="n").iter_rows())


def _check_places(settings: SelectSettings) -> None:
    inputs = input_paths(settings.data)
    for place in (settings.out, settings.rejects):
        if place is not None:
            check_folder(place)
            check_out(place, inputs)
    if settings.rejects is not None and settings.rejects.resolve() == settings.out.resolve():
        raise SettingsError(
            "The rejects would replace the rows kept.", f"--rejects {settings.rejects}", "Name another."
        )


def _manifest(
    table: Table, settings: SelectSettings, decision: Decision, order: str, used: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    return {
        "command": "select",
        "version": __version__,
        "settings": settings.model_dump(mode="json", exclude={"data", "out", "rejects"}, exclude_defaults=True),
        "inputs": table.source.fingerprints(),
        "order": order,
        "metrics": used,
        "rows": {"in": decision.mask.len(), "kept": decision.kept, "not_kept": dict(sorted(decision.counts.items()))},
        "history": [json.loads(text) for text in table.manifests(MANIFEST_KEY)],
    }


def check_select(settings: SelectSettings) -> tuple[SelectSettings, End, Amount | None]:
    """The settings with their preset resolved, which end is kept, and how much; refuses what no data could make right.

    Raises:
        SettingsError: settings that contradict each other or say nothing, an unknown preset, metric or parameter.
    """
    resolved = with_preset(settings)
    end, amount = _amount(resolved)
    check_options(resolved.options)
    return resolved, end, amount


def _amount(settings: SelectSettings) -> tuple[End, Amount | None]:
    ends: dict[End, str | None] = {"top": settings.top, "bottom": settings.bottom, "middle": settings.middle}
    given = [(end, text) for end, text in ends.items() if text is not None]
    if len(given) > 1:
        raise SettingsError(
            f"--{given[0][0]} and --{given[1][0]} exclude each other.", "curate select", "Run it twice to combine them."
        )
    ranked = given or settings.above is not None or settings.below is not None
    if ranked and settings.by is None:
        raise SettingsError("Nothing says by what the rows are ranked.", "--by", "For example: --by dcrm --top 10%")
    if not (ranked or settings.where or settings.one_per_prompt or settings.drop_ties):
        raise SettingsError("Nothing says which rows to keep.", "curate select", "For example: --by dcrm --top 10%")
    return (given[0][0], parse_amount(given[0][1], f"--{given[0][0]}")) if given else ("top", None)


def _high_first(settings: SelectSettings) -> bool:
    if settings.order is not None:
        return settings.order == "highest"
    return settings.by not in all_metrics() or find(str(settings.by)).prefer == "high"


def _values(table: Table, settings: SelectSettings) -> tuple[pl.Series | None, dict[str, dict[str, Any]]]:
    """The values to rank by; with the parameters used where they were computed here."""
    by, names = settings.by, table.schema.names
    _check_read(settings, names)
    if by is None:
        return None, {}
    if by in names and not settings.options:
        column = table.numbers([by])[by]
        if not column.dtype.is_numeric() and column.dtype != pl.Boolean:
            raise SettingsError(f"The column {by} holds no numbers.", f"--by {by}", "Rank by a metric or a number.")
        return as_numbers(column), {}
    if by not in all_metrics():
        raise SettingsError(
            f"There is neither a metric nor a column called {by}.",
            f"--by {by}",
            did_you_mean(by, [*all_metrics(), *names]),
        )
    candidates = [name for name in columns_read(by, settings.options, frozenset(names)) if name in names]
    complete = complete_columns(table.numbers(candidates))
    wanted = columns_read(by, settings.options, complete)
    for column_name in wanted:
        if column_name not in names:
            raise missing_column(by, column_name, names)
    values, _ = compute(by, table.numbers(list(wanted)), settings.options, complete)
    return values, parameters_used(by, settings.options, complete)


def _check_read(settings: SelectSettings, names: list[str]) -> None:
    """Refuse parameters of a metric that `--by` does not read: they would change nothing."""
    by = settings.by
    read = set(parameters_used(by, settings.options, frozenset(names))) if by in all_metrics() and by else set()
    for name in settings.options:
        if name not in read:
            ranking = f"Ranking by {by}" if by else "Selecting without --by"
            raise SettingsError(f"{ranking} does not use {name}.", f"--set {name}.*", "Leave it out.")


def _within(frame: pl.DataFrame, settings: SelectSettings) -> pl.Series:
    inside = pl.col("value").is_not_null() if settings.by is not None else pl.lit(True)
    if settings.above is not None:
        inside &= pl.col("value") > settings.above
    if settings.below is not None:
        inside &= pl.col("value") < settings.below
    return frame.filter(inside)["row"]


def _why(reasons: pl.Series, rest: pl.DataFrame, settings: SelectSettings) -> pl.Series:
    shown = {"top": settings.top, "bottom": settings.bottom, "middle": settings.middle}
    bounds = {"above": settings.above, "below": settings.below}
    parts = [f"--{name} {value}" for name, value in {**shown, **bounds}.items() if value is not None]
    reasons = reasons.scatter(rest["row"], f"not within {' '.join(parts)}")
    return reasons.scatter(rest.filter(pl.col("value").is_null())["row"], f"no value of {settings.by}")
