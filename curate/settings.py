"""What a run was told to do: frozen, typed settings, one class a command; unknown keys are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, ValidationError

from curate.errors import SettingsError, did_you_mean

Truncation = Literal["keep_start", "keep_end", "drop"]
Combine = Literal["mean", "min", "median", "zmean"]
Strategy = Literal["best-of-n2", "max-min", "max-random", "rs-dpo", "sweet-spot"]
Options = dict[str, dict[str, Any]]
GPUS = re.compile(r"all|[1-9]\d*|\d+(,\d+)+")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
PLACES = frozenset({"gpus", "workers", "server_timeout"})
"""Where models run, and how patiently: no part of what decides a result, so a run may be resumed with others."""


def _several(value: Any) -> Any:
    """One value, or text with commas between several, as a tuple."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list | tuple):
        return tuple(one for part in value for one in _several(part))
    return (value,)


Temperature = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Temperatures = Annotated[tuple[Temperature, ...], BeforeValidator(_several), Field(min_length=1)]


def _as_listed(value: Any) -> Any:
    """2 as "2", [0, 2] as "0,2", and both checked."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, list | tuple):
        value = ",".join(str(one) for one in value)
    if isinstance(value, str):
        value = value.replace(" ", "")
        parts = value.split(",")
        if not GPUS.fullmatch(value) or len(parts) > len(set(parts)):
            raise ValueError("all, how many (2), or which (0,2); one alone is --device=cuda:N")
    return value


Gpus = Annotated[str, BeforeValidator(_as_listed)]
Policies = Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v), Field(min_length=1)]


Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Settings(BaseModel):
    """What every command shares: where the data is, where the result goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: tuple[str, ...] = Field(min_length=1)
    out: Path
    options: Options = Field(default_factory=dict, description="per metric its parameters (`--set METRIC.name=value`)")


def _as_date(value: Any) -> Any:
    """Text of the form YYYY-MM-DD alone: pydantic would also read numbers, as seconds."""
    if isinstance(value, date | None) or (isinstance(value, str) and DAY.fullmatch(value)):
        return value
    raise ValueError("a day is written YYYY-MM-DD")


Day = Annotated[date, BeforeValidator(_as_date)]


class ModelSettings(Settings):
    """How models are run, and what becomes of bad rows and unfinished work."""

    chat_template: Path | None = Field(default=None, description="a Jinja file used in place of the tokenizer's own")
    template_date: Day | None = Field(
        default=None, description="the day that chat templates print; the day the run began when not given"
    )
    backend: Literal["auto", "torch", "vllm"] = "auto"
    tensor_parallel: PositiveInt | None = Field(default=None, description="GPUs that share a model; vLLM only")
    device: str = "auto"
    gpus: Gpus | None = Field(default=None, description="`all`, how many, or which: a copy of the model on each")
    workers: PositiveInt = Field(default=1, description="processes on the CPU, each with a copy of the model")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    batch_tokens: PositiveInt | None = Field(default=None, description="tokens of one batch, padding included")
    server_timeout: Seconds = Field(default=120.0, description="seconds that a server may take for an answer")
    trust_remote_code: bool = False
    strict: bool = False
    fresh: bool = False


class MeasureSettings(ModelSettings):
    """Which models and scores measure the responses."""

    reward: tuple[str, ...] = ()
    reward_combine: Combine = "mean"
    reward_head: tuple[str, ...] = Field(default=(), description="[NAME=]FIELD[:INDEX|mean] of a reward model's output")
    policy: str | None = None
    reference: str | None = None
    unconditional: bool = Field(default=False, description="measure responses without their prompts too, under policy")
    embedder: str | None = None
    tokenizer: str | None = Field(default=None, description="what edit distance counts; a path, a hub id, or `words`")
    engine: Literal["local", "ray"] = "local"
    max_length: PositiveInt | None = Field(default=None, description="tokens; the model's own limit when not given")
    truncation: Truncation = "keep_start"
    rows_as: Literal["pairs", "candidates"] | None = None


class ScoreSettings(MeasureSettings):
    """`curate score`."""

    match: Literal["trl"] | None = Field(
        default=None, description="the trainer whose tokenisation and truncation log-probabilities follow"
    )


class PairSettings(MeasureSettings):
    """`curate pair`."""

    strategy: Strategy = "best-of-n2"
    by: str | None = None
    order: Literal["highest", "lowest"] | None = None
    per_prompt: PositiveInt | None = None
    min_margin: float | None = Field(default=None, description="smallest reward margin of a pair")
    allow_truncated: bool = False
    seed: int = 0


class SelectSettings(Settings):
    """`curate select`."""

    preset: str | None = Field(default=None, description="settings after a paper; what is set beside it goes before it")
    by: str | None = None
    top: str | None = None
    bottom: str | None = None
    middle: str | None = None
    above: float | None = None
    below: float | None = None
    order: Literal["highest", "lowest"] | None = None
    where: str | None = None
    per: str | None = None
    one_per_prompt: bool = False
    drop_ties: bool = False
    rejects: Path | None = None
    strict: bool = False


class GenerateSettings(ModelSettings):
    """`curate generate`."""

    policy: Policies = Field(description="[NAME=]MODEL, one or several; each draws `samples` at every temperature")
    samples: PositiveInt = Field(default=8, description="responses per prompt, model and temperature")
    temperature: Temperatures = Field(default=(1.0,), description="one or several; 0 is greedy, and drawn once")
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: PositiveInt = Field(default=512, description="most tokens of a response, end of turn included")
    seed: int = 0
    max_length: PositiveInt | None = Field(
        default=None, description="most tokens of a prompt; what the model's limit leaves when not given"
    )
    keep_duplicates: bool = Field(default=False, description="keep responses of a prompt that have the same text")
    every_row: bool = Field(default=False, description="sample a prompt for every row that has it, not once")


class WeighSettings(Settings):
    """`curate weigh`."""

    method: str
    preset: str | None = None
    strict: bool = False


S = TypeVar("S", bound=Settings)

NOT_RECORDED = frozenset(
    {"data", "fresh", *PLACES}
    | {"policy", "reference", "reward", "embedder", "tokenizer", "template_date"}
    | {"backend", "device", "dtype"}
)
"""Settings that a manifest does not repeat as they were given: they decide nothing, or are there as what they mean:
data by its hash, models by name and hash, `auto` decided."""


def for_manifest(settings: Settings, *, defaults: bool = True) -> dict[str, Any]:
    """The settings that a manifest holds as they were given, without empty ones, and perhaps without defaults.

    Paths are never among them: where a file is decides nothing.
    """
    paths = {name for name, one in type(settings).model_fields.items() if _holds_paths(one.annotation)}
    held = settings.model_dump(mode="json", exclude={*NOT_RECORDED, *paths}, exclude_defaults=not defaults)
    return {key: value for key, value in held.items() if value not in (None, (), [], {})}


def _holds_paths(kind: Any) -> bool:
    """Whether a value of this type is a path, or can hold one."""
    return kind is Path or any(map(_holds_paths, get_args(kind)))


def make(kind: type[S], values: Mapping[str, Any]) -> S:
    """Settings of this kind from plain values, such as a command line's or a recipe's.

    Raises:
        SettingsError: an unknown key, or a value that the setting cannot have.
    """
    unknown = [key for key in values if key not in kind.model_fields]
    if unknown:
        raise SettingsError(
            f"There is no setting {unknown[0]}.", setting=unknown[0], hint=did_you_mean(unknown[0], kind.model_fields)
        )
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"The setting {name} cannot be {first['input']!r}: {first['msg']}.",
            setting=name.split(".")[0],
            value=first["input"] if isinstance(first["input"], str | int | float | Path) else None,
            hint="See the command's help.",
        ) from error


def parse_options(assignments: Sequence[str]) -> Options:
    """`METRIC.parameter=value` assignments as a mapping of mappings; values stay text until a metric checks them.

    Raises:
        SettingsError: an assignment of another form, or one parameter given twice.
    """
    options: Options = {}
    for assignment in assignments:
        target, equals, value = assignment.partition("=")
        metric, dot, parameter = target.strip().partition(".")
        if not (equals and dot and metric and parameter):
            raise SettingsError(
                f"{assignment!r} is not of the form METRIC.parameter=value.",
                setting="options",
                value=assignment,
                hint="For example: --set dcrm.eps=0.1",
            )
        metric = metric.replace("-", "_")
        if parameter in options.setdefault(metric, {}):
            raise SettingsError(
                f"{metric}.{parameter} is set twice.", setting="options", value=assignment, hint="Keep one of the two."
            )
        options[metric][parameter] = value.strip()
    return options
