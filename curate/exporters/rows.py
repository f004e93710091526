"""The rows of one export, built from pairs of any layout and counted, chunk by chunk."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from curate.cards.content import Gathering
from curate.errors import RowError
from curate.exporters.conversations import stored
from curate.exporters.extras import Extras
from curate.exporters.labels import Label, Labels
from curate.exporters.refusals import refuse_pair
from curate.exporters.registry import Exporter, Pair
from curate.exporters.registry import Row as MadeRow
from curate.hashing import text_hash
from curate.progress import Reporter
from curate.readers import Chunk, Layout, Reject, Row
from curate.readers.files.table import Table
from curate.readers.parts.messages import tools_in
from curate.readers.unusable import nothing_usable, reject_table
from curate.responses.stage import CHUNK_ROWS
from curate.schema import TOOLS, Record
from curate.writers.rejects_file import RejectsFile


class HasTools(Exception):
    """A row has tools, and the columns being written have no place for them: begin again with those that have."""


class Exporting:
    """The rows of one export, built and counted chunk by chunk.

    Args:
        exporter: the trainer.
        layout: reads the rows of the data.
        extras: the columns in addition to the trainer's own.
        labels: of single responses.
        rejects: takes the rows that cannot be used.
        shown: takes note of the others, for the card.

    Attributes:
        pairs: rows of the data that were used.
        labelled: single responses by their label.
    """

    def __init__(
        self,
        exporter: Exporter,
        layout: Layout,
        extras: Extras,
        labels: Labels,
        rejects: RejectsFile,
        shown: Gathering,
    ) -> None:
        self.exporter, self.layout, self.extras, self.labels = exporter, layout, extras, labels
        self.rejects, self.shown = rejects, shown
        self.pairs = 0
        self.labelled: Counter[Label] = Counter()
        self._seen: set[bytes] = set()

    def batches(self, table: Table, reporter: Reporter) -> Iterator[list[MadeRow]]:
        """The rows of every chunk.

        Raises:
            InputError: no row is usable, or one is not and the run is strict.
        """
        with reporter.step("exporting", None) as step:
            for chunk in table.source.chunks(CHUNK_ROWS):
                yield self._made(chunk)
                step.advance(len(chunk.rows))
        if not self.pairs:
            raise nothing_usable(self.rejects.first, table.source.name)
        self.labels.check(self.labelled)

    def _made(self, chunk: Chunk) -> list[MadeRow]:
        made: list[MadeRow] = []
        bad = list(chunk.rejects)
        for row, origin in zip(chunk.rows, chunk.origins, strict=True):
            try:
                rows = self._rows_of(row)
            except RowError as error:
                bad.append(Reject(origin, str(error), json.dumps(row, ensure_ascii=False, default=str)))
                continue
            self.pairs += 1
            made += [one for one in rows if not self.exporter.unpaired or self._is_wanted(one)]
        self.rejects.add([reject_table(bad)])
        return made

    def _rows_of(self, row: Row) -> list[MadeRow]:
        record = self.layout.parse(row)
        if record.pair is None:
            raise RowError("the row names no chosen and rejected response")
        pair = self._pair(record, record.pair)
        refuse_pair(pair, self.exporter)
        extras = self.extras.of(row, record)
        made = [one | extras for one in self.exporter.rows(pair)]
        self.shown.add(record, row)
        schema = self.exporter.schema
        return [one | {field.name: stored(one[field.name], field.type) for field in schema} for one in made]

    def _pair(self, record: Record, places: tuple[int, int]) -> Pair:
        """The pair of a record.

        Raises:
            RowError: it has tools, and the trainer reads none.
            HasTools: it has the first tools of the data.
        """
        found = tools_in(record)
        if found and self.exporter.with_tools is None:
            raise RowError(f"{found}, which {self.exporter.name} does not read from its data")
        if found and self.exporter.schema is not self.exporter.with_tools:
            raise HasTools
        chosen, rejected = (record.responses[place] for place in places)
        calls = record.calls_of(places[0]), record.calls_of(places[1])
        tools = next((one["content"] for one in record.prompt if one["role"] == TOOLS), None)
        prompt = tuple(one for one in record.prompt if one["role"] != TOOLS)
        return Pair(prompt, chosen, rejected, self.labels.of(record), tools, calls)

    def _is_wanted(self, row: MadeRow) -> bool:
        """Whether a row of one response is new, and has a label."""
        key = text_hash(json.dumps(row, sort_keys=True, ensure_ascii=False))
        if key in self._seen:
            return False
        self._seen.add(key)
        self.labelled[row["label"]] += 1
        return row["label"] is not None
