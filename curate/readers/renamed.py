"""Columns that the user named: a source in which they have the names that layouts read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curate.errors import InputError, SettingsError, did_you_mean
from curate.readers.contract import Chunk, Row, Source
from curate.readers.files.source import JoinedSource
from curate.readers.layouts.choice import matches as is_choice
from curate.readers.parts.column_names import CHOSEN, KNOWN, ONE_ANSWER, ONE_SCORE, REJECTED, VERDICTS, folded
from curate.readers.parts.slots import of_responses
from curate.readers.unread_verdicts import verdict_in

READ = KNOWN | {*ONE_ANSWER, *ONE_SCORE}
SIDES = frozenset({*CHOSEN, *REJECTED})


def renamed(source: JoinedSource, columns: Mapping[str, str]) -> JoinedSource:
    """The source with columns under other names.

    Args:
        source: the data.
        columns: maps names that layouts read to the data's own.

    Raises:
        SettingsError: a column does not exist, a name is not read by any layout or is already in the data, or a
            column of the data says for each row which response is better.
    """
    if not columns:
        return source
    _check(source.head, columns)
    names = {own: known for known, own in columns.items()}
    parts = tuple(_Renamed(part, names) for part in source.parts)
    head = [_row(row, names) for row in source.head]
    return replace(source, parts=parts, head=head, as_stored=False)


@dataclass(frozen=True)
class _Renamed:
    """A source whose columns have other names."""

    source: Source
    names: Mapping[str, str]

    @property
    def name(self) -> str:
        """The user's name for it."""
        return self.source.name

    def fingerprints(self) -> list[dict[str, Any]]:
        """Those of the source."""
        return self.source.fingerprints()

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Its chunks, with the columns renamed.

        Raises:
            InputError: a file has both a column and one of its new name.
        """
        for chunk in self.source.chunks(rows):
            columns = [self.names.get(name, name) for name in chunk.table.column_names]
            twice = next((name for name in columns if columns.count(name) > 1), None)
            if twice is not None:
                raise InputError(
                    f"A file has a column {twice} next to the one that is to be read as {twice}.",
                    self.name,
                    "Drop or rename one of them.",
                )
            made = [_row(row, self.names) for row in chunk.rows]
            yield Chunk(chunk.table.rename_columns(columns), made, chunk.origins, chunk.rejects)


def _row(row: Row, names: Mapping[str, str]) -> Row:
    """A row with its columns renamed; a verdict that names a column names it as renamed."""
    made = {names.get(name, name): value for name, value in row.items()}
    for own, known in names.items():
        value = row.get(own)
        if known in VERDICTS and isinstance(value, str):
            made[known] = names.get(value, value)
    return made


def _check(sample: Sequence[Row], columns: Mapping[str, str]) -> None:
    present = dict.fromkeys(str(name) for row in sample for name in row)
    for known, own in columns.items():
        if own not in present:
            raise _refusal(f"The data has no column {own}.", known, own, did_you_mean(own, present))
        if known not in READ and not of_responses(known):
            near = did_you_mean(known, READ)
            hint = near if near.startswith("Did") else "For example prompt, chosen, rejected, responses or rewards."
            raise _refusal(f"No layout reads a column {known}.", known, own, hint)
        if own != known and any(folded(name) == known for name in present):
            raise _refusal(f"The data already has a column {known}.", known, own, "Drop or rename one of them.")
    twice = next((own for own in columns.values() if list(columns.values()).count(own) > 1), None)
    if twice is not None:
        known = next(known for known, own in columns.items() if own == twice)
        raise _refusal(f"The column {twice} is named twice.", known, twice, "Name it once.")
    _check_no_verdict(sample, columns)


def _check_no_verdict(sample: Sequence[Row], columns: Mapping[str, str]) -> None:
    """Refuse to read one column as chosen throughout if each row says which response is better.

    Raises:
        SettingsError: names the column that says so.
    """
    sides = [(known, own) for known, own in columns.items() if known in SIDES]
    if not sides:
        return
    others = {own: known for known, own in columns.items() if known not in SIDES}
    rows = [{others.get(name, name): value for name, value in row.items()} for row in sample]
    taken = {own for _, own in sides}
    verdict = verdict_in([{name: None if name in taken else value for name, value in row.items()} for row in sample])
    if verdict is None and not is_choice(rows):
        return
    says = verdict or "another column"
    raise _refusal(
        f"The data is A/B: {says} says for each row which response is better, so that no column is always chosen.",
        *sides[0],
        "Name the two responses response_a and response_b instead, and the column of the verdict winner.",
    )


def _refusal(what: str, known: str, own: str, hint: str) -> SettingsError:
    return SettingsError(what, setting="columns", value=f"{known}={own}", hint=hint)
