"""The options of models: which ones measure or write, and how they run."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from curate.settings.base import FRESH, RUN, FirstRows, MetricSettings, ReadingSettings, Record, Settings, option

Truncation = Literal["keep_start", "keep_end", "drop"]
Combine = Literal["mean", "min", "median", "zmean"]
Backend = Literal["auto", "torch", "vllm"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
MODELS = "Models and scores"
GPUS = re.compile(r"all|[1-9]\d*|\d+(,\d+)+")
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(B|KB|MB|GB|TB|)", re.IGNORECASE)
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
DAY = re.compile(r"\d{4}-\d\d-\d\d")
MEANT, PLACE = Record.MEANT, Record.PLACE


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


def _as_date(value: Any) -> Any:
    """Text of the form YYYY-MM-DD alone: pydantic would also read numbers, as seconds."""
    if isinstance(value, date | None) or (isinstance(value, str) and DAY.fullmatch(value)):
        return value
    raise ValueError("a day is written YYYY-MM-DD")


def _as_size(value: Any) -> Any:
    if (isinstance(value, int) and not isinstance(value, bool) and value >= 0) or isinstance(value, str):
        value = str(value)
        if SIZE.fullmatch(value):
            return value
    raise ValueError("a size is written 200MB, 50GB or 1.5TB")


def bytes_of(size: str) -> int:
    """The number of bytes in 50GB, 200MB or 1.5TB; a number alone counts bytes."""
    match = SIZE.fullmatch(size)
    assert match is not None, size
    return int(float(match[1]) * UNITS[match[2].upper()])


Size = Annotated[str, BeforeValidator(_as_size)]
Gpus = Annotated[str, BeforeValidator(_as_listed)]
Day = Annotated[date, BeforeValidator(_as_date)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class ModelSettings(Settings):
    """How models run, and what happens to bad rows and unfinished work."""

    chat_template: Path | None = option(
        None, "A Jinja chat template in place of the policy's own.", metavar="FILE", panel=MODELS
    )
    template_date: Day | None = option(
        None,
        "The day that chat templates print. Default: the day the run began.",
        metavar="YYYY-MM-DD",
        panel=MODELS,
        record=MEANT,
    )
    trust_remote_code: bool = option(False, "Let models run their own code.", panel=MODELS)
    backend: Backend = option("auto", "What runs the models; auto is torch.", panel=RUN, record=MEANT)
    tensor_parallel: PositiveInt | None = option(None, "GPUs that share a model (vllm only).", metavar="N", panel=RUN)
    device: str = option("auto", "auto, cpu, cuda or cuda:N.", panel=RUN, record=MEANT)
    gpus: Gpus | None = option(
        None,
        "A copy of each model on every GPU, on N of them, or on these; they share the work. "
        "With --engine=ray all of the cluster's, or N.",
        metavar="all|N|I,J,...",
        panel=RUN,
        record=PLACE,
    )
    workers: PositiveInt = option(1, "Processes on the CPU, each with a copy of the model.", panel=RUN, record=PLACE)
    engine: Literal["local", "ray"] = option(
        "local", "Where the copies of a model run: on this machine, or on a Ray cluster.", panel=RUN, record=PLACE
    )
    ray_address: str | None = option(
        None,
        "The Ray cluster to join, or auto on one of its nodes. Default: a Ray is started on this machine.",
        metavar="HOST:PORT",
        panel=RUN,
        record=PLACE,
    )
    dtype: Dtype = option("auto", "auto: float32 on a CPU, bfloat16 on a GPU.", panel=RUN, record=MEANT)
    batch_tokens: PositiveInt | None = option(None, "Tokens in one forward pass, padding included.", panel=RUN)
    server_timeout: Seconds = option(
        120.0, "How long a model's server may take to answer.", metavar="SECONDS", panel=RUN, record=PLACE
    )
    fresh: bool = option(False, FRESH, panel=RUN, record=PLACE)


class MeasureSettings(MetricSettings, ModelSettings, ReadingSettings, FirstRows):
    """Which models and scores measure the responses."""

    reward: tuple[str, ...] = option(
        (),
        "columns | columns:CHOSEN,REJECTED | MODEL | judge:MODEL | python:MODULE:FUNCTION. "
        "Default: score columns when found.",
        metavar="[NAME=]SPEC",
        panel=MODELS,
        record=MEANT,
    )
    reward_combine: Combine = option("mean", "How several rewards become one.", panel=MODELS)
    reward_head: tuple[str, ...] = option(
        (),
        "Where a reward model with its own head, or with several outputs, has its reward: logits:0, score.",
        metavar="[NAME=]FIELD[:INDEX|mean]",
        panel=MODELS,
    )
    policy: str | None = option(
        None,
        "Causal model for policy log-probabilities: a folder, a hub id, or a server's http://HOST:PORT#NAME.",
        metavar="MODEL",
        panel=MODELS,
        record=MEANT,
    )
    reference: str | None = option(
        None, "Causal model for reference log-probabilities.", metavar="MODEL", panel=MODELS, record=MEANT
    )
    unconditional: bool = option(
        False,
        "Also measure responses without their prompts under the policy: a second pass, needed by ifd.",
        panel=MODELS,
    )
    embedder: str | None = option(
        None,
        "sentence-transformers model for embedding distance, or minilm.",
        metavar="MODEL",
        panel=MODELS,
        record=MEANT,
    )
    tokenizer: str | None = option(
        None,
        "What edit distance counts. Default: the policy's tokenizer, else the reference's, else words.",
        metavar="PATH|words",
        panel=MODELS,
        record=MEANT,
    )
    cache: Path | None = option(
        None,
        "Keep the numbers of models in this folder, and take from it what any earlier run measured. "
        "Default: the folder that CURATE_CACHE names, if any.",
        metavar="DIR",
        panel=RUN,
        record=PLACE,
    )
    cache_limit: Size = option(
        "50GB", "The cache forgets what was used longest ago beyond this size.", metavar="SIZE", panel=RUN, record=PLACE
    )
    max_length: PositiveInt | None = option(
        None, "Most tokens of prompt and response. Default: the model's limit.", panel=RUN
    )
    truncation: Truncation = option(
        "keep_start", "Which end of an over-long conversation to keep, or drop it.", panel=RUN
    )
    rows_as: Literal["pairs", "candidates"] | None = option(
        None, "How to read rows that contain both a pair and a list of responses.", spelled="as", panel=RUN
    )
