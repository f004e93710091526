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
