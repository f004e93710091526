"""Which rows of a table are eligible, before any is ranked, and the groups of `--per`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from curate.errors import InputError, RowError, SettingsError, closest, did_you_mean
from curate.hashing import text_hash, text_of
from curate.metrics.registry import as_numbers, missing_column
from curate.readers import detect, first_rows
from curate.readers.files.table import Table
from curate.schema import FLAG_MEANINGS, FLAGS, PAIR_ID, REWARD
from curate.selection.lengths import too_far_apart
from curate.selection.pick import best_of_each
from curate.settings import SelectSettings

MARGIN = "reward_margin"
UNWEIGHED = "its group has no weight"
CHUNK_ROWS = 4096


@dataclass(frozen=True)
class Eligible:
    """Which rows are eligible, and why the others are not.

    Attributes:
        alive: bool [rows].
        codes: the number of the reason why each row is not eligible, 0 if it is: uint8 [rows].
        reasons: the reasons by number; reason 0 is empty.
    """

    alive: np.ndarray
    codes: np.ndarray
    reasons: list[str]

    def drop(self, rows: np.ndarray, reason: str) -> None:
        """Drop these rows for this reason; a row dropped before keeps its first reason."""
        self.reasons.append(reason)
        self.codes[rows & self.alive] = len(self.reasons) - 1
        self.alive[rows] = False


def eligible(table: Table, settings: SelectSettings, values: np.ndarray | None, high_first: bool) -> Eligible:
    """The rows left by `--where` and the other options that leave rows out first, `--one-per-prompt` being the last."""
    found = Eligible(np.ones(table.rows, bool), np.zeros(table.rows, np.uint8), [""])
    if settings.where is not None:
        found.drop(~_where(table, settings.where).to_numpy(), f"where: {settings.where}")
    if settings.drop_ties:
        found.drop(~_not_tied(table).to_numpy(), "tie")
    if settings.drop_flags:
        for flag, rows in _flagged(table, settings.drop_flags):
            found.drop(rows, f"flag {flag}")
    if settings.max_length_gap is not None:
        for rows, reason in too_far_apart(table, settings.max_length_gap):
            found.drop(rows, reason)
    if settings.per is not None and settings.per_weights:
        found.drop(~groups_of(table, settings).is_in(list(settings.per_weights)).fill_null(False).to_numpy(), UNWEIGHED)
    if settings.one_per_prompt:
        frame = ranking_frame(table, found.alive, values, _prompt_keys(table))
        best = np.zeros(table.rows, bool)
        best[best_of_each(frame, "group", high_first=high_first)["row"].to_numpy()] = True
        found.drop(~best, "not the best of its prompt")
    return found


def ranking_frame(table: Table, alive: np.ndarray, values: np.ndarray | None, groups: pl.Series) -> pl.DataFrame:
    """The remaining rows as a frame for ranking within groups: row, value, tie, group."""
    rows = pl.Series("row", np.flatnonzero(alive), dtype=pl.UInt32)
    return pl.DataFrame(
        {
            "row": rows,
            "value": pl.Series(values[alive], nan_to_null=True) if values is not None else pl.repeat(0.0, rows.len()),
            "tie": tie_breakers(table, rows.to_numpy()),
            "group": groups.gather(rows),
        },
        schema_overrides={"value": pl.Float64},
    )


def tie_breakers(table: Table, rows: np.ndarray) -> pl.Series:
    """What breaks ties between these rows: their `pair_id`, or their position in the data."""
    if PAIR_ID.name in table.schema.names:
        return table.taken(PAIR_ID.name, rows)
    return pl.Series(PAIR_ID.name, rows)


def groups_of(table: Table, settings: SelectSettings) -> pl.Series:
    """The group of every row; where groups have weights, as text.

    Raises:
        SettingsError: there is no such column, or no row is in a group that has a weight.
    """
    groups = group_column(table, str(settings.per))
    if not settings.per_weights:
        return groups
    named = groups.cast(pl.String)
    there = set(named.unique().drop_nulls())
    for name in settings.per_weights:
        if name not in there:
            raise SettingsError(
                f"No row has {name!r} as its {settings.per}.",
                setting="per_weights",
                value=",".join(f"{one}={weight:g}" for one, weight in settings.per_weights.items()),
                hint=did_you_mean(name, there),
            )
    return named


def group_column(table: Table, name: str) -> pl.Series:
    """Return the column of `--per`.

    Raises:
        SettingsError: there is no such column.
    """
    if name not in table.schema.names:
        raise SettingsError(
            f"There is no column {name}.", setting="per", value=name, hint=did_you_mean(name, table.schema.names)
        )
    return table.numbers([name])[name]


def _where(table: Table, text: str) -> pl.Series:
    from curate.selection.where import condition

    wanted, names = condition(text), table.schema.names
    for name in wanted.columns:
        if name not in names:
            dotted = next((known for known in names if known.startswith(f"{name}.")), None)
            hint = f'Quote a name that contains a dot: "{dotted}".' if dotted else did_you_mean(name, names)
            raise SettingsError(f"There is no column {name}.", setting="where", value=text, hint=hint)
    return wanted.holds(table.numbers(wanted.columns))


def _not_tied(table: Table) -> pl.Series:
    names = table.schema.names
    if REWARD.chosen in names and REWARD.rejected in names:
        numbers = table.numbers([REWARD.chosen, REWARD.rejected])
        return (as_numbers(numbers[REWARD.chosen]) != as_numbers(numbers[REWARD.rejected])).fill_null(True)
    if MARGIN in names:
        return (as_numbers(table.numbers([MARGIN])[MARGIN]) != 0).fill_null(True)
    raise missing_column("reward_margin", REWARD.chosen, names)


def check_flags(flags: Iterable[str], known: Iterable[str]) -> None:
    """Refuse flags that neither `curate` nor the table has.

    Raises:
        SettingsError: one of them is not known.
    """
    names = sorted({*FLAG_MEANINGS, *known})
    for flag in flags:
        if flag not in names:
            raise SettingsError(
                f"There is no flag {flag}.", setting="drop_flags", value=flag, hint=did_you_mean(flag, names)
            )


def no_flags(names: Iterable[str]) -> SettingsError:
    """The error of a table without flags."""
    hint = "`curate score` writes it." if not closest(FLAGS.name, names) else did_you_mean(FLAGS.name, names)
    return SettingsError(f"There is no column {FLAGS.name}.", setting="drop_flags", hint=hint)


def _flagged(table: Table, flags: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """The rows that carry each of these flags."""
    if FLAGS.name not in table.schema.names:
        raise no_flags(table.schema.names)
    lists = table.numbers([FLAGS.name])[FLAGS.name]
    if lists.dtype not in (pl.List(pl.String), pl.List(pl.Null)):
        raise SettingsError(
            f"The column {FLAGS.name} does not hold lists of text.",
            setting="drop_flags",
            hint="Use --where with its values instead.",
        )
    lists = lists.cast(pl.List(pl.String))
    check_flags(flags, lists.explode().drop_nulls().unique())
    for flag in dict.fromkeys(flags):
        yield flag, lists.list.contains(flag).fill_null(False).to_numpy()


def _prompt_keys(table: Table) -> pl.Series:
    """A 128-bit hash of each row's prompt, as its layout reads it."""
    layout = detect(first_rows(table.source), tools=True)
    keys, first = np.zeros((table.rows, 2), np.uint64), 0
    for chunk in table.source.chunks(CHUNK_ROWS):
        for i, (row, origin) in enumerate(zip(chunk.rows, chunk.origins, strict=True)):
            try:
                prompt = text_of(layout.parse(row).prompt)
            except RowError as error:
                raise InputError(
                    f"A row's prompt cannot be read: {error}.", origin, "Leave out --one-per-prompt, or fix the row."
                ) from error
            keys[first + i] = np.frombuffer(text_hash(prompt), np.uint64)
        first += len(chunk.rows)
    return pl.DataFrame(keys, schema=["high", "low"]).to_struct("prompt")
