"""What a command is: its settings, how it runs, what it says then, and what is known of its result before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from curate.lines import Summary
from curate.plan.cost import ModelCost
from curate.plan.shape import RowKind, Shape
from curate.plan.volume import Volume, as_before
from curate.progress import Reporter
from curate.readers import Layout, Row, detect


def _pairs(rows: Sequence[Row], kind: RowKind | None) -> Layout:
    return detect(rows, kind or "pairs", tools=True)


def _no_shape(_: Any, before: Shape) -> Shape:
    return before


def _no_models(_: Any, kind: RowKind | None) -> dict[str, Any]:
    return {}


def _no_costs(_: Any, volume: Volume, kind: RowKind | None) -> list[ModelCost]:
    return []


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        name: as the command line and recipes spell it.
        settings: the class of its settings.
        run: runs it.
        summary: what it says of its result when it has finished.
        check: refuses settings that no data could make valid.
        is_step: whether a recipe can run it.
        measures: whether its settings may hold a judge's options.
        layout: maps (first rows, how the settings read them) to their layout.
        shape: maps (settings, shape of the data) to the shape of the output; refuses what the data cannot provide.
        volume: maps (settings, volume of the data, what a row of the output is) to the volume of the output.
        models: maps (settings, what a row of the output is) to what decides its numbers besides settings and data.
        costs: maps (settings, volume of the data, what a row of the output is) to the passes of its models.
        suffix: of the output; empty for a folder.
    """

    name: str
    settings: type[Any]
    run: Callable[[Any, Reporter], Any]
    summary: Callable[[Any], Summary]
    check: Callable[[Any], Any] = lambda settings: None
    is_step: bool = True
    measures: bool = False
    layout: Callable[[Sequence[Row], RowKind | None], Layout] = _pairs
    shape: Callable[[Any, Shape], Shape] = _no_shape
    volume: Callable[[Any, Volume, RowKind | None], Volume] = as_before
    models: Callable[[Any, RowKind | None], dict[str, Any]] = _no_models
    costs: Callable[[Any, Volume, RowKind | None], list[ModelCost]] = _no_costs
    suffix: str = ".parquet"

    @property
    def writes_table(self) -> bool:
        """Whether its output is one table."""
        return "out" in self.settings.model_fields and self.suffix == ".parquet"
