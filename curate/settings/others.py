"""The options of the commands that are not jobs on data: `run`, `metrics` and `demo`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from curate.settings.base import FRESH, Files, MetricSettings, option


class RunSettings(BaseModel):
    """Run the steps of a recipe file: generate, score, pair, select, weigh, export.

    Rerun the same command to resume an interrupted run; finished steps are kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Path = option(help="A recipe file.", metavar="RECIPE.yaml", argument=True)
    out: Path | None = option(None, "The folder of the outputs. Default: the recipe's name.", metavar="DIR", short="-o")
    assignments: tuple[str, ...] = option(
        (),
        "An input (data=pairs.jsonl), a step's setting (select.top=25%) or a metric's parameter "
        "(select.dcrm.eps=0.1). Repeatable.",
        metavar="KEY=VALUE",
        spelled="set",
    )
    plan: bool = option(False, "Print what would run and what it costs; fetch and open nothing.")
    fresh: bool = option(False, FRESH)


class CatalogueSettings(BaseModel):
    """Print the catalogue of metrics: formula, unit, direction, columns read, parameters, paper."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = option(None, "One metric, whole.", argument=True)
    metrics: Files = option((), MetricSettings.model_fields["metrics"].description or "", metavar="FILE")


class DemoSettings(BaseModel):
    """Do the whole job on an embedded world with the tiny models of the package: offline, on a CPU."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: Path = option(Path("curate-demo"), "Where everything goes.", metavar="DIR", short="-o")
    seed: int = option(0, "Of the data and the responses; with --train, of the models too.")
    train: bool = option(False, "Train the three models, which takes minutes, instead of using the shipped.")
