"""Which rows of a table may be kept at all: `--where`, `--drop-ties`, `--one-per-prompt`, `--per`."""

from __future__ import annotations

import polars as pl

from curate.errors import InputError, RowError, SettingsError, did_you_mean, first_line
from curate.identity import text_hash, text_of
from curate.metrics.registry import as_numbers, missing_column
from curate.picking import best_of_each
from curate.readers import detect, first_rows
from curate.readers.tables import Table
from curate.recipe import SelectSettings
from curate.schema import PAIR_ID, REWARD

MARGIN = "reward_margin"
CHUNK_ROWS = 4096


def eligible(
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
    rows = table.rows
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


def condition(text: str) -> tuple[pl.Expr, list[str]]:
    """A `--where` as an expression, and the columns that it reads.

    Raises:
        SettingsError: it is no expression of columns.
    """
    try:
        expression = pl.sql_expr(text)
        columns = list(dict.fromkeys(expression.meta.root_names()))
    except pl.exceptions.PolarsError as error:
        raise _unusable(text, error) from error
    if not columns or "subplan" in str(expression).lower():
        raise SettingsError(
            "--where is an expression of columns.", f"--where {text}", 'For example: "reward_margin > 0.5"'
        )
    return expression, columns


def _unusable(text: str, error: Exception) -> SettingsError:
    return SettingsError(
        f"The condition cannot be used: {first_line(error)}", f"--where {text}", "It is a SQL expression."
    )


def _where(table: Table, text: str) -> pl.Series:
    expression, columns = condition(text)
    unknown = [name for name in columns if name not in table.schema.names]
    if unknown:
        raise SettingsError(
            f"There is no column {unknown[0]}.", f"--where {text}", did_you_mean(unknown[0], table.schema.names)
        )
    try:
        holds = table.numbers(columns).select(holds=expression)["holds"]
    except pl.exceptions.PolarsError as error:
        raise _unusable(text, error) from error
    if holds.len() != table.rows:
        raise SettingsError(
            "The condition is not one of each row.", f"--where {text}", "Leave out MAX, SUM and the like."
        )
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
