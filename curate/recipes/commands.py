"""The commands that a step can run: their settings, what they write, how to check and call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curate.jobs.export import check_export, export
from curate.jobs.generate import generate
from curate.jobs.pair import check_pair, pair
from curate.jobs.score import check_score, score
from curate.jobs.select import check_select, select
from curate.jobs.weigh import check_weigh, weigh
from curate.plan.generation import check_generate
from curate.progress import Reporter
from curate.readers import Layout, Row, detect, prompts_layout
from curate.recipes.shapes import (
    Kind,
    Shape,
    after_export,
    after_generate,
    after_pair,
    after_score,
    after_select,
    after_weigh,
)
from curate.settings import (
    ExportSettings,
    GenerateSettings,
    PairSettings,
    ScoreSettings,
    SelectSettings,
    Settings,
    WeighSettings,
)


@dataclass(frozen=True)
class Command:
    """One command.

    name: as on the command line.
        name: as the command line spells it.
        settings: the class of its settings.
        run: runs it.
        check: refuses settings that no data could make valid.
        after: maps (settings, shape of the data) to the shape of the output; refuses what the data cannot provide.
        layout: maps (first rows, how the settings read them) to their layout.
        suffix: of the output; empty for a folder.
    """

    name: str
    settings: type[Settings]
    run: Callable[[Any, Reporter], Any]
    check: Callable[[Any], Any]
    after: Callable[[Any, Shape], Shape]
    layout: Callable[[Sequence[Row], Kind | None], Layout]
    suffix: str = ".parquet"


def _prompts(rows: Sequence[Row], _: Kind | None) -> Layout:
    return prompts_layout(rows)


def _pairs(rows: Sequence[Row], kind: Kind | None) -> Layout:
    return detect(rows, kind or "pairs")


def _candidates(rows: Sequence[Row], kind: Kind | None) -> Layout:
    return detect(rows, kind or "candidates")


COMMANDS: Mapping[str, Command] = {
    one.name: one
    for one in (
        Command("generate", GenerateSettings, generate, check_generate, after_generate, _prompts),
        Command("score", ScoreSettings, score, check_score, after_score, _pairs),
        Command("pair", PairSettings, pair, check_pair, after_pair, _candidates),
        Command("select", SelectSettings, select, check_select, after_select, _pairs),
        Command("weigh", WeighSettings, weigh, check_weigh, after_weigh, _pairs),
        Command("export", ExportSettings, export, check_export, after_export, _pairs, suffix=""),
    )
}
