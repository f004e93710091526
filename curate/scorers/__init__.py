"""The scorer contract: reads keyed items and yields keyed numbers.

Never positional: every key comes back exactly once, in any order, whatever the batch size, so that any engine may run
a scorer anywhere. A scorer that wraps a model opens it in `open` and frees it in `close`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from curate.schema import Message
from curate.tokens.tools import response_message


@dataclass(frozen=True)
class ResponseItem:
    """One response to measure, with the prompt that it answers.

    Attributes:
        other: the other response of its pair, where the rows are pairs.
        calls: the JSON of the tools that the response calls, which its text ends with; empty for none.
        other_calls: the same of the other response.
    """

    key: int
    prompt: Sequence[Message]
    response: str
    other: str | None = None
    calls: str = ""
    other_calls: str = ""

    @property
    def answer(self) -> Message:
        """The response as the assistant's message."""
        return response_message(self.response, self.calls)

    @property
    def other_answer(self) -> Message | None:
        """The other response as the assistant's message, where the rows are pairs."""
        return None if self.other is None else response_message(self.other, self.other_calls)


@dataclass(frozen=True)
class PairItem:
    """Two responses whose texts are compared."""

    key: int
    chosen: str
    rejected: str


@dataclass(frozen=True)
class JudgedPair:
    """Two responses to one prompt, judged together."""

    key: int
    prompt: Sequence[Message]
    responses: tuple[str, str]


@dataclass(frozen=True)
class DrawItem:
    """One response to sample."""

    key: int
    prompt: Sequence[Message]
    seed: int
    temperature: float


@dataclass(frozen=True)
class Scored:
    """The numbers of one batch: column name -> one value per key; `tokens` were read, for the progress bar."""

    keys: Sequence[int]
    columns: Mapping[str, Sequence[Any]]
    tokens: int = 0


@dataclass(frozen=True)
class Cut:
    """How an opened model wants rows cut into batches.

    Attributes:
        budget: tokens of one batch.
        packs: True: rows are packed without padding and shared prefixes count once. False: rows are padded.
        one_length: whether only rows of equal length may share a batch.
    """

    budget: int
    packs: bool = False
    one_length: bool = False


@dataclass(frozen=True)
class Batch:
    """Items measured together: `rows` in the form that the scorer's `measure` reads, `tokens` their cost."""

    keys: Sequence[int]
    rows: Sequence[Any]
    tokens: int


class Scorer(Protocol):
    """Measures items of one kind."""

    @property
    def name(self) -> str:
        """The name of the shards that store its results."""

    @property
    def title(self) -> str:
        """The label of its progress bar."""

    @property
    def schema(self) -> pa.Schema:
        """Types of the columns that it yields, without the key."""

    def open(self) -> list[str]:
        """Load what it needs; returns notes for the user."""

    def score(self, items: Sequence[Any], done: Container[int]) -> Iterator[Scored]:
        """Measure the items, skipping batches whose keys are all in `done`.

        How items are cut into batches depends on `items` alone, never on `done`: a resumed run repeats exactly the
        batches of an uninterrupted one, and so its numbers.
        """

    def facts(self) -> dict[str, Any]:
        """What decided its numbers, for the manifest; the same before and after `open`."""

    def close(self) -> None:
        """Free what `open` loaded."""


@runtime_checkable
class Prepares(Protocol):
    """A scorer that can do part of its work ahead, in another thread, while it measures earlier items."""

    def prepare(self, items: Sequence[Any]) -> Any:
        """What `score` accepts in place of these items, with the same numbers."""


@runtime_checkable
class Shares(Scorer, Protocol):
    """A scorer whose batches can be measured by copies of itself, each in its own process and on its own device.

    Where a batch is measured changes no number: `score` measures exactly the same batches.
    """

    def on(self, device: str, threads: int | None) -> Shares:
        """The same scorer, unopened, for this device; it can be pickled.

        Args:
            device: such as `cpu` or `cuda:1`.
            threads: CPU threads that it may use; None for all.
        """

    def cut(self) -> Cut:
        """How the opened model wants rows cut."""

    def batches(self, items: Any, cut: Cut) -> Iterator[Batch]:
        """All batches of these items (or of what `prepare` made of them); needs no model."""

    def measure(self, batch: Batch) -> Scored:
        """The numbers of a batch, from the opened model."""
