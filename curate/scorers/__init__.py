"""What a scorer is: it reads keyed items and yields keyed numbers.

Never positional: every key comes back exactly once, in any order, whatever the batch size, so that any engine may run
a scorer anywhere. A scorer that wraps a model opens it in `open` and frees it in `close`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from curate.schema import Message


@dataclass(frozen=True)
class ResponseItem:
    """One response to be measured, with the prompt that it answers.

    Attributes:
        beside: the other response of its pair, where the rows are pairs.
    """

    key: int
    prompt: Sequence[Message]
    response: str
    beside: str | None = None


@dataclass(frozen=True)
class PairItem:
    """Two responses whose texts are to be compared."""

    key: int
    chosen: str
    rejected: str


@dataclass(frozen=True)
class JudgedPair:
    """Two responses to one prompt, to be judged together."""

    key: int
    prompt: Sequence[Message]
    responses: tuple[str, str]


@dataclass(frozen=True)
class DrawItem:
    """One response to be drawn."""

    key: int
    prompt: Sequence[Message]
    seed: int
    temperature: float


@dataclass(frozen=True)
class Scored:
    """The numbers of one batch: column name -> one value a key; `tokens` is how much was read, for the progress bar."""

    keys: Sequence[int]
    columns: Mapping[str, Sequence[Any]]
    tokens: int = 0


@dataclass(frozen=True)
class Cut:
    """How an opened model wants rows cut into batches.

    Attributes:
        budget: tokens of one batch.
        packs: whether a batch costs its tokens, those that rows begin with in common once; else its rows are padded.
        one_length: whether only rows of one length may share a batch.
    """

    budget: int
    packs: bool = False
    one_length: bool = False


@dataclass(frozen=True)
class Batch:
    """Items that are measured together: `rows` as their scorer's `measure` reads them, `tokens` what they cost."""

    keys: Sequence[int]
    rows: Sequence[Any]
    tokens: int


class Scorer(Protocol):
    """Measures items of one kind."""

    @property
    def name(self) -> str:
        """Names the shards in which its results are kept."""

    @property
    def title(self) -> str:
        """What the progress bar says."""

    @property
    def schema(self) -> pa.Schema:
        """Types of the columns that it yields, without the key."""

    def open(self) -> list[str]:
        """Load what it needs; returns what the user should know about it."""

    def score(self, items: Sequence[Any], done: Container[int]) -> Iterator[Scored]:
        """Measure the items, leaving out batches whose keys are all in `done`.

        How items are cut into batches depends on `items` alone, never on `done`: a resumed run repeats the very
        batches that an uninterrupted one would have made, and so its very numbers.
        """

    def facts(self) -> dict[str, Any]:
        """What decided its numbers, for the manifest; the same before and after `open`."""

    def close(self) -> None:
        """Free what `open` loaded."""


@runtime_checkable
class Prepares(Protocol):
    """A scorer that can do part of its work ahead, in another thread, while it measures earlier items."""

    def prepare(self, items: Sequence[Any]) -> Any:
        """What `score` takes in place of these items, with the same numbers."""


@runtime_checkable
class Shares(Scorer, Protocol):
    """A scorer whose batches can be measured by copies of itself, each in a process and on a device of its own.

    Where a batch is measured changes no number: `score` measures the very same ones.
    """

    def on(self, device: str, threads: int | None) -> Shares:
        """The same before `open`, for this device; it can be pickled.

        Args:
            device: such as `cpu` or `cuda:1`.
            threads: of a CPU that it may use; None for all.
        """

    def cut(self) -> Cut:
        """How the opened model wants rows cut."""

    def batches(self, items: Any, cut: Cut) -> Iterator[Batch]:
        """All batches of these items (or of what `prepare` made of them); no model is needed."""

    def measure(self, batch: Batch) -> Scored:
        """The numbers of a batch, by the opened model."""
