"""`-` in place of a file: data from standard input, rows to standard output as lines of JSON."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from curate.errors import InputError, SettingsError
from curate.lines import Line, Next

DASH = "-"
BEGINNINGS = {b"PAR1": ".parquet", b"ARROW1": ".arrow", b"\x1f\x8b": ".jsonl.gz", b"\x28\xb5\x2f\xfd": ".jsonl.zst"}
BATCH_ROWS = 1024


@dataclass(frozen=True)
class Streams:
    """What of a command goes through standard input and output.

    Attributes:
        values: of the command, with files of a temporary folder for `-`.
        reads: whether it reads standard input.
        out: the file whose rows go to standard output; None where it writes to a place of its own.
    """

    values: dict[str, Any]
    reads: bool
    out: Path | None

    def summary(self, lines: Iterable[Line]) -> Iterator[Line]:
        """A summary without the temporary files and what to type about them."""
        for line in lines:
            temporary = isinstance(line, Next) or (self.out is not None and str(self.out.parent) in str(line))
            if not (temporary and (self.reads or self.out)):
                yield line

    def write(self) -> None:
        """Write the rows to standard output."""
        import pyarrow.parquet as pq

        if self.out is not None:
            with pq.ParquetFile(self.out) as file:
                for batch in file.iter_batches(BATCH_ROWS):
                    for row in batch.to_pylist():
                        sys.stdout.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


@contextmanager
def streams(values: Mapping[str, Any], *, writes_table: bool, as_json: bool) -> Iterator[Streams]:
    """Replace `-`, and clean up afterwards.

    Args:
        values: of the command's settings.
        writes_table: whether its output is one table.
        as_json: whether its summary goes to standard output.

    Raises:
        InputError: standard input is empty, or a terminal.
        SettingsError: the output is not a table, or rows and summary would both go to standard output.
    """
    data, out = values.get("data") or (), values.get("out")
    reads, writes = DASH in data, str(out) == DASH
    if not (reads or writes):
        yield Streams(dict(values), False, None)
        return
    _check(values, writes, writes_table, as_json)
    with TemporaryDirectory(prefix="curate-") as name:
        made, folder = dict(values), Path(name)
        if reads:
            piped = str(_received(folder))
            made["data"] = [piped if one == DASH else one for one in data]
        if writes:
            made["out"] = folder / "out.parquet"
        yield Streams(made, reads, made["out"] if writes else None)


def _check(values: Mapping[str, Any], writes: bool, writes_table: bool, as_json: bool) -> None:
    if list(values.get("data") or ()).count(DASH) > 1:
        raise SettingsError("Standard input can be read only once.", "DATA -", "Give - once.")
    if writes and not writes_table:
        raise SettingsError("This command does not write rows.", setting="out", value=DASH, hint="Name its output.")
    if writes and as_json:
        raise SettingsError(
            "Rows and summary would both go to standard output.", setting="out", value=DASH, hint="Leave out --json."
        )


def _received(folder: Path) -> Path:
    """Standard input as a file, whose name says its format."""
    stream = sys.stdin.buffer
    if sys.stdin.isatty():
        raise InputError("Nothing is piped in.", "standard input", "For example: cat pairs.jsonl | curate inspect -")
    beginning = stream.read(4096)
    if not beginning.strip():
        raise InputError("Standard input is empty.", "standard input", "Check the command before the pipe.")
    path = folder / f"stdin{_suffix(beginning)}"
    with path.open("wb") as file:
        file.write(beginning)
        shutil.copyfileobj(stream, file)
    return path


def _suffix(beginning: bytes) -> str:
    for magic, suffix in BEGINNINGS.items():
        if beginning.startswith(magic):
            return suffix
    return {b"[": ".json", b"{": ".jsonl"}.get(beginning.lstrip(b"\xef\xbb\xbf \t\r\n")[:1], ".csv")
