"""The options of each command. A class's docstring is the command's help; a field is an option, everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from curate.settings.base import (
    RUN,
    ColumnSettings,
    DataSettings,
    Files,
    MetricSettings,
    Options,
    ReadingSettings,
    Record,
    Settings,
    option,
)
from curate.settings.models import MODELS, MeasureSettings, ModelSettings

Strategy = Literal["best-of-n2", "max-min", "max-random", "rs-dpo", "sweet-spot"]
Order = Literal["highest", "lowest"]
SAMPLING, PAIRING, AMOUNT = "How to sample", "How to pair", "10%|N"
ORDER_HELP = "Which values are best. Default: as the metric declares."


def _several(value: Any) -> Any:
    """One value, or text with commas between several, as a tuple."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list | tuple):
        return tuple(one for part in value for one in _several(part))
    return (value,)


Temperature = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Temperatures = Annotated[tuple[Temperature, ...], BeforeValidator(_several), Field(min_length=1)]
Policies = Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v), Field(min_length=1)]


class InspectSettings(DataSettings, ReadingSettings):
    """Say which layout the data has, and what is wrong with it; loads no model."""


class ExplainSettings(DataSettings):
    """Show one pair: each number and its percentile, the terms of each metric, and why a selection kept it or not."""

    pair_id: str = option(
        help="The pair's `pair_id`, or how it begins; or its row, as row:1.",
        metavar="PAIR_ID",
        record=Record.MEANT,
        argument=True,
    )
    selected: Path | None = option(
        None, "What `curate select` kept of this table: also show the rule, and how far the pair is from the cut."
    )
    metrics: Files = option((), MetricSettings.model_fields["metrics"].description or "", metavar="FILE")


class GenerateSettings(ModelSettings, ColumnSettings):
    """Sample responses to prompts.

    Reads prompts as text or messages, also those of pairs and candidates. Writes one row per prompt, with lists that
    `curate score` and `curate pair` read. Rerun the same command to resume an interrupted run.
    """

    policy: Policies = option(
        help="Causal model that writes. Repeatable: one pool of responses from several.",
        metavar="[NAME=]MODEL",
        panel=MODELS,
        record=Record.MEANT,
    )
    samples: PositiveInt = option(8, "Responses per prompt, model and temperature.", short="-n", panel=SAMPLING)
    temperature: Temperatures = option(
        (1.0,),
        "One or several, each with its own N samples. 0 is greedy, and drawn once. Default: 1.",
        metavar="T[,T...]",
        panel=SAMPLING,
    )
    top_p: float = option(1.0, "Draw from the likeliest tokens that reach this share.", gt=0, le=1, panel=SAMPLING)
    max_tokens: PositiveInt = option(512, "Most tokens of a response, its end of turn included.", panel=SAMPLING)
    batch_tokens: PositiveInt | None = option(
        None, "Tokens of prompts and responses that are sampled at once.", panel=RUN
    )
    seed: int = option(0, "The same seed gives the same responses.", panel=SAMPLING)
    keep_duplicates: bool = option(False, "Keep responses to a prompt that have the same text.", panel=SAMPLING)
    every_row: bool = option(False, "Sample a prompt for every row that has it, not once for all.", panel=SAMPLING)
    max_length: PositiveInt | None = option(
        None,
        "Most tokens of a prompt; longer ones are rejected. Default: what the model's limit leaves.",
        panel=RUN,
    )


class ScoreSettings(MeasureSettings):
    """Measure pairs or candidates, and add metrics.

    Rerun the same command to resume an interrupted run.
    """

    match: Literal["trl"] | None = option(
        None,
        "Measure log-probabilities of exactly the tokens that this trainer will count (max length 1024).",
        panel=RUN,
    )


class PairSettings(MeasureSettings):
    """Build the best pairs from N responses to each prompt.

    Reads candidates, or pairs, whose responses to the same prompt are then pooled. Measures with the given models what
    the data does not hold yet. Rerun the same command to resume an interrupted run.
    """

    strategy: Strategy = option(
        "best-of-n2", "How to pair: best-of-n2 ranks all pairs by --by; the others use rewards alone.", panel=PAIRING
    )
    by: str | None = option(None, "What best-of-n2 ranks by. Default: dcrm.", metavar="METRIC", panel=PAIRING)
    order: Order | None = option(None, ORDER_HELP, panel=PAIRING)
    per_prompt: PositiveInt | None = option(
        None, "Most pairs per prompt. Default: 1 (rs-dpo: all).", metavar="K", panel=PAIRING
    )
    min_margin: float | None = option(None, "Smallest reward margin of a pair.", metavar="X", panel=PAIRING)
    allow_truncated: bool = option(False, "Let truncated responses be chosen.", panel=PAIRING)
    seed: int = option(0, "For strategies that draw.", panel=PAIRING)


class SelectSettings(MetricSettings):
    """Keep the best rows of a scored table.

    Uses the column METRIC when it is there and no parameter of it is set; otherwise computes it from the measurements.
    Rows without a value are never kept; ties are broken by pair_id; the input's order is kept.
    """

    preset: str | None = option(
        None,
        "After a paper: bees (top 10%), alignment-potential (top 40%), dpo-gap (hardest 10%), easy-first "
        "(easier half, SelectiveDPO), ifd (highest 10% of those up to 1) or rip. Explicit options override it.",
        metavar="NAME",
    )
    by: str | None = option(None, "A metric, or any column of numbers.", metavar="METRIC")
    top: str | None = option(None, "Keep the best: floor(share * rows), or N.", metavar=AMOUNT)
    bottom: str | None = option(None, "Keep the worst.", metavar=AMOUNT)
    middle: str | None = option(None, "Keep the middle by rank.", metavar=AMOUNT)
    above: float | None = option(None, "Keep only values greater than X.", metavar="X")
    below: float | None = option(None, "Keep only values less than X.", metavar="X")
    order: Order | None = option(None, ORDER_HELP)
    where: str | None = option(
        None,
        "First leave out rows for which this condition on a row is not true: columns, operators, CASE, "
        "CAST and functions such as ABS, LENGTH or ARRAY_CONTAINS(flags, 'tie'). Null and NaN are never true.",
        metavar="SQL",
    )
    per: str | None = option(None, "Take the share or count within each group.", metavar="COLUMN")
    sort: str | None = option(
        None,
        "Write the rows kept by this metric or column, its better end first. Default: the input's order.",
        metavar="METRIC[:highest|:lowest]",
    )
    one_per_prompt: bool = option(False, "First keep only the best row of each prompt.")
    drop_ties: bool = option(False, "First leave out pairs of equal rewards.")
    rejects: Path | None = option(None, "Write what was not kept here, with the reason.", metavar="OUT2")


class WeighSettings(Settings):
    """Add the columns that margin-aware trainers read: the method's own, and weight, target_margin, margin.

    Everything is computed against the frozen policy of the scored table; the manifest says which rows stood in for a
    trainer's batch.
    """

    method: str = option(help="gamma-po, madpo, amapo, bpo, repo or beta-dpo.", metavar="METHOD")
    preset: str | None = option(None, "A paper's settings, by its model.", metavar="NAME")
    options: Options = option(
        {},
        "A parameter of the method; `recipes/README.md` lists them. Repeatable.",
        metavar="METHOD.NAME=VALUE",
        spelled="set",
    )


class ExportSettings(Settings, ReadingSettings):
    """Write what a trainer reads: a folder with its data file and a snippet of its configuration."""

    out: Path = option(help="A folder.", metavar="OUT", short="-o")
    to: str = option(
        help="trl, trl-reward, kto, openrlhf, llamafactory, axolotl, verl, torchtune, nemo-rl, ms-swift or "
        "open-instruct.",
        metavar="FORMAT",
    )
    keep_scores: bool = option(False, "Keep what curate measured, in columns named curate_...")


class ReportSettings(MetricSettings):
    """Show a scored table in one page that opens from disk and can be mailed.

    Every number is computed over all rows. A click on a bar filters the page and shows the equal `curate select`.
    """

    out: Path = option(help="An .html file.", metavar="OUT", short="-o")
    selected: Path | None = option(
        None,
        "The rows that were kept, as `curate select` wrote them; found by pair_id.",
        metavar="KEPT.parquet",
        record=Record.MEANT,
    )
    compare: Path | None = option(
        None, "Another selection from the same table, to show next to that of --selected.", metavar="KEPT2.parquet"
    )
    by: str | None = option(
        None, "The metric to open with. Default: the one that selected, else a usual one.", metavar="METRIC"
    )
