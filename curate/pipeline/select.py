"""`curate select`: keep the best rows of a scored table, whoever scored it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from curate.errors import InputError, RowError, SettingsError, did_you_mean
from curate.identity import text_hash, text_of
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
from curate.picking import Amount, End, best_of_each, parse_amount, pick
from curate.pipeline.staging import CHUNK_ROWS
from curate.plan import first_rows, input_paths
from curate.progress import Reporter
from curate.readers import detect
from curate.readers.tables import Table, open_table
from curate.recipe import SelectSettings
from curate.schema import PAIR_ID, REWARD
from curate.store import Workspace, check_out
from curate.version import __version__
from curate.writers.parquet import MANIFEST_KEY, check_folder, write_output

REASON = "reject_reason"
MARGIN = "reward_margin"


@dataclass(frozen=True)
class SelectResult:
    """What a run of `curate select` did.

    Attributes:
        rows: rows of the table.
        kept: rows kept.
        reasons: rows not kept, by reason.
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
    by: str | None
    order: str
    cut: float | None
    computed: bool
    parameters: dict[str, dict[str, Any]]


def select(settings: SelectSettings, reporter: Reporter) -> SelectResult:
    """Decide on whole columns, then copy the rows that are kept.

    Raises:
        CurateError: whatever the user can mend; nothing is at the outputs then that was not there before.
    """
    end, amount = _amount(settings)
    check_options(settings.options)
    inputs = input_paths(settings)
    for place in (settings.out, settings.rejects):
        if place is not None:
            check_folder(place)
            check_out(place, inputs)
    table = open_table(settings.data)
    values, used = _values(table, settings)
    high_first = _high_first(settings)
    frame, reasons = _eligible(table, settings, values, high_first)
    kept = pick(frame, end, amount, high_first=high_first) if amount else frame["row"]
    kept = _within(frame.filter(pl.col("row").is_in(kept.implode())), settings)
    rest = frame.filter(~pl.col("row").is_in(kept.implode()))
    reasons = _why(reasons, rest, settings)
    mask = pl.repeat(False, reasons.len(), eager=True).scatter(kept.cast(pl.UInt32), True)
    counts = dict(reasons.filter(~mask).value_counts(sort=True, name="n").iter_rows())
    kept_values = values.filter(mask) if values is not None else None
    computed = bool(used) and values is not None
    manifest = {
        "command": "select",
        "version": __version__,
        "settings": settings.model_dump(mode="json", exclude={"data", "out", "rejects"}, exclude_defaults=True),
        "inputs": table.source.fingerprints(),
        "order": "highest" if high_first else "lowest",
        "metrics": used,
        "rows": {"in": mask.len(), "kept": int(mask.sum()), "not_kept": dict(sorted(counts.items()))},
        "history": [json.loads(text) for text in table.manifests(MANIFEST_KEY)],
    }
    added = {values.name: values} if values is not None and computed else {}
    if settings.rejects is not None:
        _copy(table, ~mask, {**added, REASON: reasons}, {**manifest, "part": "not kept"}, settings.rejects)
    _copy(table, mask, added, manifest, settings.out)
    cut = None if kept_values is None else (kept_values.min() if high_first else kept_values.max())
    return SelectResult(
        settings.out,
        mask.len(),
        int(mask.sum()),
        counts,
        settings.by,
        str(manifest["order"]),
        float(cut) if isinstance(cut, int | float) else None,
        computed,
        used,
    )


def _amount(settings: SelectSettings) -> tuple[End, Amount | None]:
    ends: dict[End, str | None] = {"top": settings.top, "bottom": settings.bottom, "middle": settings.middle}
    given = [(end, text) for end, text in ends.items() if text is not None]
    if len(given) > 1:
        raise SettingsError(
            f"--{given[0][0]} and --{given[1][0]} exclude each other.", "", "Run select twice to combine them."
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
    if by is None:
        return None, {}
    if by in names and by not in settings.options:
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


def _eligible(
    table: Table, settings: SelectSettings, values: pl.Series | None, high_first: bool
) -> tuple[pl.DataFrame, pl.Series]:
    """The rows that may be kept (row, value, tie, group), and for every row why not, where it may not."""
    names = table.schema.names
    wanted = [name for name in (PAIR_ID.name, settings.per or PAIR_ID.name) if name in names]
    wanted = list(dict.fromkeys(wanted))
    if settings.per is not None and settings.per not in names:
        raise SettingsError(
            f"There is no column {settings.per}.", f"--per {settings.per}", did_you_mean(settings.per, names)
        )
    numbers = table.numbers(wanted) if wanted else None
    rows = values.len() if values is not None else sum(batch.num_rows for batch in table.batches())
    row = pl.int_range(rows, dtype=pl.UInt32, eager=True)
    frame = pl.DataFrame(
        {
            "row": row,
            "value": values if values is not None else pl.repeat(0.0, rows, eager=True),
            "tie": numbers[PAIR_ID.name] if numbers is not None and PAIR_ID.name in names else row,
            "group": numbers[settings.per] if numbers is not None and settings.per else pl.repeat(0, rows, eager=True),
        }
    )
    reasons = pl.repeat(None, rows, dtype=pl.String, eager=True)
    if settings.where is not None:
        frame, reasons = _drop(frame, reasons, _where(table, settings.where), f"where: {settings.where}")
    if settings.drop_ties:
        frame, reasons = _drop(frame, reasons, _not_tied(table), "tie")
    if settings.one_per_prompt:
        keyed = frame.with_columns(prompt=_prompt_keys(table).gather(frame["row"]))
        best = best_of_each(keyed, "prompt", high_first=high_first)["row"]
        chosen = pl.repeat(False, rows, eager=True).scatter(best, True)
        frame, reasons = _drop(frame, reasons, chosen, "not the best of its prompt")
    return frame, reasons


def _drop(frame: pl.DataFrame, reasons: pl.Series, holds: pl.Series, reason: str) -> tuple[pl.DataFrame, pl.Series]:
    fallen = frame.filter(~holds.gather(frame["row"]))["row"]
    return frame.filter(holds.gather(frame["row"])), reasons.scatter(fallen, reason)


def _where(table: Table, text: str) -> pl.Series:
    try:
        expression = pl.sql_expr(text)
        columns = expression.meta.root_names()
        unknown = [name for name in columns if name not in table.schema.names]
        if unknown:
            raise SettingsError(
                f"There is no column {unknown[0]}.", f"--where {text}", did_you_mean(unknown[0], table.schema.names)
            )
        if not columns or "subplan" in str(expression).lower():
            raise SettingsError(
                "--where is an expression of columns.", f"--where {text}", 'For example: "reward_margin > 0.5"'
            )
        holds = table.numbers(list(dict.fromkeys(columns))).select(holds=expression)["holds"]
    except pl.exceptions.PolarsError as error:
        raise SettingsError(
            f"The condition cannot be used: {str(error).splitlines()[0]}", f"--where {text}", "It is a SQL expression."
        ) from error
    if holds.dtype != pl.Boolean:
        raise SettingsError("The condition is neither true nor false.", f"--where {text}", 'For example: "x > 0.5"')
    return holds.fill_null(False)


def _not_tied(table: Table) -> pl.Series:
    names = table.schema.names
    if REWARD.chosen in names and REWARD.rejected in names:
        numbers = table.numbers([REWARD.chosen, REWARD.rejected])
        return (as_numbers(numbers[REWARD.chosen]) != as_numbers(numbers[REWARD.rejected])).fill_null(True)
    if MARGIN in names:
        return (as_numbers(table.numbers([MARGIN])[MARGIN]) != 0).fill_null(True)
    raise missing_column("reward_margin", REWARD.chosen, names)


def _prompt_keys(table: Table) -> pl.Series:
    """A hash of each row's prompt, read as its layout says."""
    layout = detect(first_rows(table.source))
    keys: list[bytes] = []
    for chunk in table.source.chunks(CHUNK_ROWS):
        for row, origin in zip(chunk.rows, chunk.origins, strict=True):
            try:
                keys.append(text_hash(text_of(layout.parse(row).prompt)))
            except RowError as error:
                raise InputError(
                    f"A row's prompt cannot be read: {error}.", origin, "Leave out --one-per-prompt, or mend the row."
                ) from error
    return pl.Series("prompt", keys)


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


def _copy(table: Table, mask: pl.Series, added: dict[str, pl.Series], manifest: dict[str, Any], out: Path) -> None:
    def tables() -> Iterator[pa.Table]:
        first = 0
        for batch in table.batches():
            piece = batch
            for name, column in added.items():
                values = column.slice(first, batch.num_rows).to_arrow(compat_level=pl.CompatLevel.oldest())
                values = values.cast(pa.string()) if pa.types.is_large_string(values.type) else values
                place = piece.schema.get_field_index(name)
                piece = piece.append_column(name, values) if place < 0 else piece.set_column(place, name, values)
            yield piece.filter(mask.slice(first, batch.num_rows).to_arrow())
            first += batch.num_rows

    schema = next(tables()).schema
    with Workspace(out, manifest, fresh=True) as workspace:
        write_output(tables(), schema, manifest, out, workspace)
        workspace.finish()
