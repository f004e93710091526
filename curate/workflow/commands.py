"""The commands that a step can run: their settings, what they write, and how they are checked and called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from curate.pipeline.export import ExportSettings, check_export, export
from curate.pipeline.pair import check_pair, pair
from curate.pipeline.score import check_score, score
from curate.pipeline.select import check_select, select
from curate.pipeline.weigh import check_weigh, weigh_table
from curate.progress import Reporter
from curate.recipe import PairSettings, ScoreSettings, SelectSettings, Settings, WeighSettings
from curate.workflow.flow import Kind, Shape, after_export, after_pair, after_score, after_select, after_weigh


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: as the command line spells it.
        settings: the class of its settings.
        run: does it.
        check: refuses settings that no data could make right.
        after: (settings, shape of the data) -> shape of the output; refuses what the data cannot give.
        prefers: what rows that hold both are read as.
        suffix: of the output; none for a folder.
    """

    name: str
    settings: type[Settings]
    run: Callable[[Any, Reporter], Any]
    check: Callable[[Any], Any]
    after: Callable[[Any, Shape], Shape]
    prefers: Kind = "pairs"
    suffix: str = ".parquet"


COMMANDS: Mapping[str, Command] = {
    one.name: one
    for one in (
        Command("score", ScoreSettings, score, check_score, after_score),
        Command("pair", PairSettings, pair, check_pair, after_pair, prefers="candidates"),
        Command("select", SelectSettings, select, check_select, after_select),
        Command("weigh", WeighSettings, weigh_table, check_weigh, after_weigh),
        Command("export", ExportSettings, export, check_export, after_export, suffix=""),
    )
}
