"""`curate generate`."""

from __future__ import annotations

from typing import Annotated

import typer

from curate.cli import options as o

SAMPLING = "How to sample"

Policies = Annotated[
    list[str],
    typer.Option(
        "--policy",
        metavar="[NAME=]MODEL",
        help="Causal model that writes. Repeatable: one pool of responses from several.",
        show_default=False,
        rich_help_panel=o.MODELS,
    ),
]
Temperatures = Annotated[
    list[str] | None,
    typer.Option(
        "--temperature",
        metavar="T[,T...]",
        help="One or several, each with its own N samples. 0 is greedy, and drawn once. Default: 1.",
        rich_help_panel=SAMPLING,
    ),
]


def generate(
    prompts: o.Data,
    out: o.Out,
    policy: Policies,
    samples: Annotated[
        int,
        typer.Option(
            "--samples", "-n", min=1, help="Responses per prompt, model and temperature.", rich_help_panel=SAMPLING
        ),
    ] = 8,
    temperature: Temperatures = None,
    top_p: Annotated[
        float,
        typer.Option(help="Draw from the likeliest tokens that reach this share.", rich_help_panel=SAMPLING),
    ] = 1.0,
    max_tokens: Annotated[
        int, typer.Option(min=1, help="Most tokens of a response, its end of turn included.", rich_help_panel=SAMPLING)
    ] = 512,
    seed: Annotated[int, typer.Option(help="The same seed gives the same responses.", rich_help_panel=SAMPLING)] = 0,
    keep_duplicates: Annotated[
        bool, typer.Option(help="Keep responses of a prompt that are the same text.", rich_help_panel=SAMPLING)
    ] = False,
    every_row: Annotated[
        bool,
        typer.Option(help="Sample a prompt for every row that has it, not once for all.", rich_help_panel=SAMPLING),
    ] = False,
    chat_template: o.ChatTemplate = None,
    template_date: o.TemplateDate = None,
    trust_remote_code: o.TrustRemoteCode = False,
    backend: o.BackendOption = o.Backend.auto,
    tensor_parallel: o.TensorParallel = None,
    device: o.Device = "auto",
    gpus: o.Gpus = None,
    workers: o.Workers = 1,
    dtype: o.DtypeOption = o.Dtype.auto,
    max_length: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Most tokens of a prompt; longer ones are rejected. Default: what the model's limit leaves.",
            rich_help_panel=o.RUN,
        ),
    ] = None,
    batch_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of prompts and responses in one batch.", rich_help_panel=o.RUN)
    ] = None,
    server_timeout: o.ServerTimeout = 120.0,
    strict: o.Strict = False,
    fresh: o.Fresh = False,
    quiet: o.Quiet = False,
) -> None:
    """Sample responses to prompts.

    Reads prompts as text or messages, also those of pairs and candidates. Writes one row a prompt, with lists that
    `curate score` and `curate pair` read. A run that was stopped goes on when the same command is given again.
    """
    values = {key: value for key, value in locals().items() if key not in {"prompts", "quiet"} and value is not None}
    from curate.cli import console
    from curate.cli.summaries import print_generate
    from curate.jobs.generate import generate as run
    from curate.settings import GenerateSettings, make

    result = run(make(GenerateSettings, {**values, "data": prompts}), console.reporter(quiet))
    if not quiet:
        print_generate(result)
