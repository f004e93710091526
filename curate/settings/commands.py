"""The options of commands whose settings the rooms below `jobs/` read; the others state theirs in their own file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt

from curate.settings.base import (
    RUN,
    ColumnSettings,
    Files,
    FirstRows,
    MetricSettings,
    PageSettings,
    Record,
    Settings,
    option,
)
from curate.settings.models import MODELS, MeasureSettings, ModelSettings
from curate.share import Share

Strategy = Literal["best-of-n2", "max-min", "max-random", "rs-dpo", "sweet-spot", "delta-ucb", "cross-model"]
Order = Literal["highest", "lowest"]
FLAGGING = "What to flag"
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
AmountText = Annotated[str, BeforeValidator(lambda v: str(v) if type(v) is int else v)]
Names = Annotated[tuple[str, ...], BeforeValidator(_several)]
Readings = Annotated[tuple[Literal["wpo", "ches"], ...], BeforeValidator(_several)]
Policies = Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v), Field(min_length=1)]


def _weights(value: Any) -> Any:
    """`GROUP=WEIGHT`, or text with commas between several, as a mapping; a group's own name may have a `=`."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    pairs = [one.rpartition("=") for part in parts for one in str(part).split(",") if one.strip()]
    if not all(name.strip() and weight.strip() for name, _, weight in pairs):
        raise ValueError("weights are given as GROUP=WEIGHT, for example code=2,math=1")
    found = {name.strip(): weight.strip() for name, _, weight in pairs}
    if len(found) < len(pairs):
        raise ValueError("a group is given twice")
    return found


Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weights = Annotated[dict[str, Weight], BeforeValidator(_weights)]


class GenerateSettings(ModelSettings, ColumnSettings, FirstRows):
    """The options of `curate generate`."""

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


class FlagSettings(Settings):
    """Which flags to look for."""

    add_flags: Names = option(
        (),
        "Also look for these over the whole data set, or for all: duplicate, duplicate_prompt, repeated_response, "
        "contradiction, near_duplicate, near_duplicate_prompt, near_duplicate_response, language_mismatch, "
        "other_language, self_identification, knowledge_cutoff, identical_truncated.",
        metavar="FLAG[,FLAG...]|all",
        panel=FLAGGING,
    )
    decontaminate: Files = option(
        (),
        "Prompts of an evaluation; rows whose prompt holds one of them get the flag leaked. Repeatable.",
        metavar="FILE",
        panel=FLAGGING,
        record=Record.MEANT,
    )


def _share(value: Any) -> Any:
    """A share in its one spelling."""
    return value if value is None else str(Share.parse(str(value)))


ShareText = Annotated[str, BeforeValidator(_share)]


class ScoreSettings(MeasureSettings, FlagSettings):
    """The options of `curate score`."""

    match: Literal["trl"] | None = option(
        None,
        "Measure log-probabilities of exactly the tokens that this trainer will count (max length 1024).",
        panel=RUN,
    )
    shard: ShareText | None = option(
        None,
        "Measure the I-th of N shares, for `curate merge` to join with the others: for arrays of jobs on a cluster.",
        metavar="I/N",
        panel=RUN,
        record=Record.PLACE,
    )
    also: Readings = option(
        (),
        "Read more in the policy's pass: wpo (for wpo_weight), ches (for ches and ches_norm, in pairs). PyTorch only.",
        metavar="wpo|ches[,...]",
        panel=MODELS,
    )


class PairSettings(MeasureSettings, FlagSettings, PageSettings):
    """The options of `curate pair`."""

    strategy: Strategy = option(
        "best-of-n2",
        "How to pair: best-of-n2 ranks all pairs by --by; cross-model goes by who wrote a response, delta-ucb by "
        "several named rewards; the others use rewards alone.",
        panel=PAIRING,
    )
    by: str | None = option(None, "What best-of-n2 ranks by. Default: dcrm.", metavar="METRIC", panel=PAIRING)
    order: Order | None = option(None, ORDER_HELP, panel=PAIRING)
    per_prompt: PositiveInt | None = option(
        None, "Most pairs per prompt. Default: 1 (rs-dpo: all).", metavar="K", panel=PAIRING
    )
    min_margin: float | None = option(None, "Smallest reward margin of a pair.", metavar="X", panel=PAIRING)
    allow_truncated: bool = option(False, "Let truncated responses be chosen.", panel=PAIRING)
    drop_flags: Names = option(
        (),
        "Build no pairs with these flags: of responses such as refusal, and of pairs such as near_duplicate. Looks for "
        "them as --add-flags does.",
        metavar="FLAG[,FLAG...]",
        panel=FLAGGING,
    )
    seed: int = option(0, "For strategies that draw.", panel=PAIRING)


class SelectSettings(MetricSettings, PageSettings):
    """The options of `curate select`."""

    preset: str | None = option(
        None,
        "After a paper: bees (top 10%), alignment-potential (top 40%), dpo-gap (hardest 10%), easy-first "
        "(easier half, SelectiveDPO), ifd (highest 10% of those up to 1), rip, rm-votes (at least half of the reward "
        "sources agree), ifd-gap (top 80%), ppl-diff (below 0), chosen-reward (top 50%) or air. Explicit options "
        "override it.",
        metavar="NAME",
    )
    by: str | None = option(None, "A metric, or any column of numbers.", metavar="METRIC")
    top: AmountText | None = option(None, "Keep the best: floor(share * rows), or N.", metavar=AMOUNT)
    bottom: AmountText | None = option(None, "Keep the worst.", metavar=AMOUNT)
    middle: AmountText | None = option(None, "Keep the middle by rank.", metavar=AMOUNT)
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
    per_weights: Weights = option(
        {},
        "Divide --top, --bottom or --middle between the groups of --per by these weights: code=2,math=1 keeps twice as "
        "many of code. Groups without a weight are left out.",
        metavar="GROUP=WEIGHT[,...]",
    )
    sort: str | None = option(
        None,
        "Write the rows kept by this metric or column, its better end first. Default: the input's order.",
        metavar="METRIC[:lowest]",
    )
    one_per_prompt: bool = option(False, "First keep only the best row of each prompt.")
    drop_ties: bool = option(False, "First leave out pairs of equal rewards.")
    drop_flags: Names = option(
        (), "First leave out pairs with any of these flags, such as refusal,near_duplicate.", metavar="FLAG[,FLAG...]"
    )
    max_length_gap: NonNegativeInt | None = option(
        None,
        "First leave out pairs whose responses differ in length by more than N: tokens where the table has "
        "chosen_tokens and rejected_tokens, else words.",
        metavar="N",
    )
    left_out: Path | None = option(
        None, "Also write the rows that are not kept, with the reason of each.", metavar="FILE", was="rejects"
    )

    @property
    def filters(self) -> bool:
        """Whether rows may be left out before any is ranked."""
        gap = self.max_length_gap is not None
        return bool(self.where or self.one_per_prompt or self.drop_ties or self.drop_flags or gap)
