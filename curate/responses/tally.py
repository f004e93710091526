"""What `curate inspect` counts while it reads data once: rows, lengths, flags with the first rows that have them."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from curate.errors import RowError
from curate.hashing import text_hash, text_of
from curate.hygiene import Rows
from curate.readers import Layout, Source
from curate.readers.parts.messages import tools_in
from curate.responses.stage import CHUNK_ROWS
from curate.responses.text_flags import text_flags
from curate.schema import Message, Record
from curate.tokens import WORD

EXAMPLES = 3


@dataclass(frozen=True)
class Example:
    """One pair of the data.

    Attributes:
        place: where it is: the file and the row.
    """

    place: str
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str


class Tally:
    """Counts kept while reading.

    Attributes:
        with_tools: rows with tools, or calls of them.
        places: of each reason, and of each flag, the first rows that have it.
        pair_words: words of chosen and rejected of each pair that is not a tie.
        row_places: where each usable row is; kept on request only.

    Args:
        samples: how many pairs to keep as examples: those with the smallest hashes, which is a random choice that does
            not depend on the order of the rows.
        places_of_rows: whether to keep `row_places`.
    """

    def __init__(self, samples: int = 0, *, places_of_rows: bool = False) -> None:
        self.rows = self.rewarded = self.with_tools = 0
        self.reasons: Counter[str] = Counter()
        self.flags: Counter[str] = Counter()
        self.places: dict[str, list[str]] = {}
        self.turns: Counter[int] = Counter()
        self.responses: Counter[int] = Counter()
        self.words: dict[str, list[int]] = {"prompt": [], "response": []}
        self.pair_words: list[tuple[int, int]] = []
        self.row_places: list[str] = []
        self.prompts: set[bytes] = set()
        self.whole: set[bytes] = set()
        self._samples, self._keeps_places = samples, places_of_rows
        self._sampled: list[tuple[int, int, Example]] = []

    @property
    def examples(self) -> list[Example]:
        """The pairs kept as examples, in the order of the data."""
        return [example for _, _, example in sorted(self._sampled, key=lambda one: -one[1])]

    def reject(self, reason: str, place: str) -> None:
        """Count an unusable row."""
        self.reasons[reason] += 1
        self._place(reason, place)

    def add(self, record: Record, place: str) -> None:
        """Count a usable row."""
        prompt = text_of(record.prompt)
        whole = text_hash(prompt, *record.responses)
        new = whole not in self.whole
        self.rows += 1
        self.with_tools += tools_in(record) is not None
        self.turns[len(record.prompt)] += 1
        self.responses[len(record.responses)] += 1
        self.prompts.add(text_hash(prompt))
        self.whole.add(whole)
        words = [len(WORD.findall(response)) for response in record.responses]
        self.words["prompt"].append(sum(len(WORD.findall(m["content"])) for m in record.prompt))
        self.words["response"] += words
        for flag in [*text_flags(record), *self._reward_flags(record), *([] if new else ["duplicate"])]:
            self.flags[flag] += 1
            self._place(flag, place)
        if self._keeps_places:
            self.row_places.append(place)
        if record.pair is not None:
            self._add_pair(record, record.pair, words, place, whole if new else None)

    def _add_pair(
        self, record: Record, pair: tuple[int, int], words: list[int], place: str, whole: bytes | None
    ) -> None:
        if not record.tie:
            self.pair_words.append((words[pair[0]], words[pair[1]]))
        chosen, rejected = record.responses[pair[0]], record.responses[pair[1]]
        if whole is None or chosen == rejected or not self._samples:
            return
        # a heap has its smallest on top: of the negative hashes, that of the example to give up
        one = (-int.from_bytes(whole, "big"), -self.rows, Example(place, record.prompt, chosen, rejected))
        (heapq.heappushpop if len(self._sampled) == self._samples else heapq.heappush)(self._sampled, one)

    def _reward_flags(self, record: Record) -> list[str]:
        rewards = record.measured.get("reward")
        if not rewards:
            return []
        known = [value is not None for value in rewards]
        self.rewarded += any(known)
        # a pair needs both of its rewards for a margin; candidates can do without some
        if not (any(known) if record.pair is None else all(known[side] for side in record.pair)):
            return ["no_reward"]
        equal = record.pair is not None and rewards[record.pair[0]] == rewards[record.pair[1]]
        return ["tie"] if equal and not record.tie else []

    def _place(self, name: str, place: str) -> None:
        places = self.places.setdefault(name, [])
        if len(places) < EXAMPLES:
            places.append(place)


def count(source: Source, layout: Layout, tally: Tally, advance: Callable[[int], object]) -> None:
    """Read all rows into the tally."""
    for chunk in source.chunks(CHUNK_ROWS):
        for reject in chunk.rejects:
            tally.reject(reject.reason, reject.origin)
        for row, place in zip(chunk.rows, chunk.origins, strict=True):
            try:
                tally.add(layout.parse(row), place)
            except RowError as error:
                tally.reject(str(error), place)
        advance(len(chunk.rows))


def read_rows(source: Source, layout: Layout) -> Iterator[Rows]:
    """All usable rows in batches."""
    first = 0
    for chunk in source.chunks(CHUNK_ROWS):
        found: list[tuple[tuple[Message, ...], tuple[str, ...], tuple[str, ...]]] = []
        for row in chunk.rows:
            try:
                record = layout.parse(row)
            except RowError:
                continue
            pair = record.pair if layout.kind == "pairs" else None
            places = range(len(record.responses)) if pair is None else pair
            responses, calls = (tuple(map(of, places)) for of in (record.responses.__getitem__, record.calls_of))
            found.append((record.prompt, responses, calls))
        if found:
            yield Rows(first, *zip(*found, strict=True))
            first += len(found)
