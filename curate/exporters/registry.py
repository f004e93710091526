"""The exporter contract of every file in `trainers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import pyarrow as pa

from curate.errors import SettingsError, did_you_mean
from curate.registry import declared
from curate.schema import Message
from curate.tokens.tools import response_message

Row = dict[str, Any]
FileKind = Literal["parquet", "jsonl"]


@dataclass(frozen=True)
class Pair:
    """One pair as exporters see it.

    Attributes:
        prompt: the messages before the response.
        chosen: the text of the response.
        rejected: the text of the other.
        labels: whether each is desirable by itself; None if it is neither.
        tools: the JSON of the tools that the conversation offers; None for none.
        calls: the JSON of the tools that each response calls, with which its text ends; empty for none.
    """

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    labels: tuple[bool | None, bool | None] = (True, False)
    tools: str | None = None
    calls: tuple[str, str] = ("", "")

    @property
    def answers(self) -> tuple[Message, Message]:
        """Both responses as the assistant's messages."""
        return response_message(self.chosen, self.calls[0]), response_message(self.rejected, self.calls[1])


@dataclass(frozen=True)
class Written:
    """What a snippet can refer to.

    Attributes:
        file: the data file's name within the folder.
        columns: the columns in it.
        rows: how many rows it has.
        measured: the name of the model that computed the log-probabilities, by role (policy, reference), if known.
        weighed: how `curate weigh` made its weights and target margins, if known: method and parameters.
    """

    file: str
    columns: tuple[str, ...]
    rows: int
    weighed: Mapping[str, Any] | None = None
    measured: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exporter:
    """The data format that one trainer wants.

    Attributes:
        name: as `--to` spells it.
        summary: the trainer and the form of a row, in one line.
        kind: the data file's kind.
        schema: the columns of every row.
        rows: builds a pair's rows; raises RowError with the reason if the trainer would misread them.
        snippet: maps what was written to the text of every other file in the folder, by name.
        numbers: numeric columns that this trainer (or a subclass of it) reads, copied if the data has them.
        proofs: columns with which a trainer can check those numbers; kept under prefixed names if reference
            log-probabilities are copied.
        derives_margin: if there is no column `margin`, write the difference of the rewards as one.
        placeholders: words in a text that the trainer replaces with an image or the like; pairs with one are refused.
        any_text: the trainer reads empty or equal responses just as they are, so such pairs are kept.
        unpaired: a row is one response with its `label`, not a pair: equal rows are written once, those without a
            label are left out, and pair scores do not fit.
        with_tools: the columns of every row if some row has tools, or calls of them; None if the trainer reads none.
    """

    name: str
    summary: str
    kind: FileKind
    schema: pa.Schema
    rows: Callable[[Pair], list[Row]]
    snippet: Callable[[Written], Mapping[str, str]]
    numbers: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()
    derives_margin: bool = False
    placeholders: tuple[str, ...] = ()
    any_text: bool = False
    unpaired: bool = False
    with_tools: pa.Schema | None = None

    @property
    def file(self) -> str:
        """The data file's name; `datasets` reads it as the split `train`."""
        return f"train.{self.kind}"


@cache
def all_exporters() -> dict[str, Exporter]:
    """Every exporter by name."""
    return {one.name: one for one in sorted(declared("curate.exporters.trainers", Exporter), key=lambda one: one.name)}


def find_exporter(name: str) -> Exporter:
    """The exporter of this name, spelled with hyphens or underscores.

    Raises:
        SettingsError: there is no such format.
    """
    spelled = name.strip().lower().replace("_", "-")
    if spelled not in all_exporters():
        raise SettingsError(
            f"There is no format {name}.", setting="to", value=name, hint=did_you_mean(spelled, all_exporters())
        )
    return all_exporters()[spelled]
