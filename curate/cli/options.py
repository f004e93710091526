"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

MODELS, RUN, OUTPUT = "Models and scores", "How to run", "Output"

Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        help="Paths, globs or folders (.parquet .json .jsonl .csv .arrow, also .gz .zst), or hf://owner/name.",
        show_default=False,
    ),
]
Out = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="OUT", help="A .parquet file, or a folder of shards.", show_default=False),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="METRIC.NAME=VALUE", help="A metric's parameter; see `curate metrics`. Repeatable."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]

Reward = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]SPEC",
        help="columns | columns:CHOSEN,REJECTED | MODEL | judge:MODEL | python:MODULE:FUNCTION. "
        "Default: score columns when found.",
        rich_help_panel=MODELS,
    ),
]


class Combine(StrEnum):
    """How several rewards become one."""

    mean = "mean"
    min = "min"
    median = "median"
    zmean = "zmean"


RewardCombine = Annotated[Combine, typer.Option(help="How several rewards become one.", rich_help_panel=MODELS)]
RewardHead = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]FIELD[:INDEX|mean]",
        help="Where a reward model with a head of its own, or several outputs, has its reward: logits:0, score.",
        rich_help_panel=MODELS,
    ),
]
Policy = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Causal model for policy log-probabilities; a folder, a hub id, or a server's http://HOST:PORT#NAME.",
        rich_help_panel=MODELS,
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="Causal model for reference log-probabilities.", rich_help_panel=MODELS),
]
Unconditional = Annotated[
    bool,
    typer.Option(
        "--unconditional",
        help="Measure responses without their prompts too, under the policy: a second pass, for ifd.",
        rich_help_panel=MODELS,
    ),
]
Embedder = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL", help="sentence-transformers model for embedding distance, or minilm.", rich_help_panel=MODELS
    ),
]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        metavar="PATH|words",
        help="What edit distance counts. Default: the policy's tokenizer, else the reference's, else words.",
        rich_help_panel=MODELS,
    ),
]
ChatTemplate = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A Jinja chat template in place of the policy's own.",
        rich_help_panel=MODELS,
    ),
]
TemplateDate = Annotated[
    str | None,
    typer.Option(
        metavar="YYYY-MM-DD",
        help="The day that chat templates print. Default: the day the run began.",
        show_default=False,
        rich_help_panel=MODELS,
    ),
]
TrustRemoteCode = Annotated[bool, typer.Option(help="Let models run their own code.", rich_help_panel=MODELS)]


class Backend(StrEnum):
    """What runs the models."""

    auto = "auto"
    torch = "torch"
    vllm = "vllm"


class Engine(StrEnum):
    """Where scorers run."""

    local = "local"
    ray = "ray"


class Dtype(StrEnum):
    """Number format of the models."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class Truncate(StrEnum):
    """What becomes of a conversation longer than --max-length."""

    keep_start = "keep_start"
    keep_end = "keep_end"
    drop = "drop"


class Match(StrEnum):
    """Whose tokenisation log-probabilities follow."""

    trl = "trl"


class RowsAs(StrEnum):
    """What a row is."""

    pairs = "pairs"
    candidates = "candidates"


BackendOption = Annotated[
    Backend, typer.Option("--backend", help="What runs the models; auto is torch.", rich_help_panel=RUN)
]
TensorParallel = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="GPUs that share a model (vllm only).", rich_help_panel=RUN),
]
EngineOption = Annotated[Engine, typer.Option("--engine", help="Where scorers run.", rich_help_panel=RUN)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", rich_help_panel=RUN)]
Gpus = Annotated[
    str | None,
    typer.Option(
        metavar="all|N|I,J,...",
        help="A copy of each model on every GPU, on N of them, or on these; they share the work.",
        rich_help_panel=RUN,
    ),
]
Workers = Annotated[
    int,
    typer.Option(min=1, help="Processes on the CPU, each with a copy of the model.", rich_help_panel=RUN),
]
DtypeOption = Annotated[
    Dtype, typer.Option("--dtype", help="auto: float32 on a CPU, bfloat16 on a GPU.", rich_help_panel=RUN)
]
MaxLength = Annotated[
    int | None,
    typer.Option(min=1, help="Most tokens of prompt and response. Default: the model's limit.", rich_help_panel=RUN),
]
Truncation = Annotated[
    Truncate, typer.Option("--truncation", help="Which part of a longer one is kept.", rich_help_panel=RUN)
]
MatchOption = Annotated[
    Match | None,
    typer.Option(
        "--match",
        help="Measure log-probabilities of the very tokens that this trainer will count (max length 1024).",
        rich_help_panel=RUN,
    ),
]
BatchTokens = Annotated[
    int | None, typer.Option(min=1, help="Tokens in one forward pass, padding included.", rich_help_panel=RUN)
]
ServerTimeout = Annotated[
    float,
    typer.Option(metavar="SECONDS", help="How long a model's server may take for an answer.", rich_help_panel=RUN),
]
Strict = Annotated[bool, typer.Option(help="Make the first bad row an error.", rich_help_panel=RUN)]
Fresh = Annotated[bool, typer.Option(help="Start over instead of resuming unfinished work.", rich_help_panel=RUN)]
RowsAsOption = Annotated[
    RowsAs | None,
    typer.Option("--as", help="Read rows that hold both as pairs or as candidates.", rich_help_panel=RUN),
]
