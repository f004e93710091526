"""`curate pair`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from curate.cli import options as o
from curate.cli.select import OrderOption

PAIRING = "How to pair"


class Strategy(StrEnum):
    """How a prompt's responses are paired."""

    best_of_n2 = "best-of-n2"
    max_min = "max-min"
    max_random = "max-random"
    rs_dpo = "rs-dpo"
    sweet_spot = "sweet-spot"


def pair(
    data: o.Data,
    out: o.Out,
    best_of_n2: Annotated[
        bool,
        typer.Option("--best-of-n2", help="Of all ordered pairs the best by METRIC.", rich_help_panel=PAIRING),
    ] = False,
    strategy: Annotated[
        Strategy, typer.Option("--strategy", help="A baseline on rewards alone instead.", rich_help_panel=PAIRING)
    ] = Strategy.best_of_n2,
    by: Annotated[
        str | None,
        typer.Option(metavar="METRIC", help="What best-of-n2 ranks by. Default: dcrm.", rich_help_panel=PAIRING),
    ] = None,
    order: OrderOption = None,
    per_prompt: Annotated[
        int | None,
        typer.Option(min=1, metavar="K", help="Pairs per prompt: 1; rs-dpo all.", rich_help_panel=PAIRING),
    ] = None,
    min_margin: Annotated[
        float | None, typer.Option(metavar="X", help="Smallest reward margin of a pair.", rich_help_panel=PAIRING)
    ] = None,
    allow_truncated: Annotated[
        bool, typer.Option(help="Let truncated responses be chosen.", rich_help_panel=PAIRING)
    ] = False,
    seed: Annotated[int, typer.Option(help="For strategies that draw.", rich_help_panel=PAIRING)] = 0,
    reward: o.Reward = None,
    reward_combine: o.RewardCombine = o.Combine.mean,
    reward_head: o.RewardHead = None,
    policy: o.Policy = None,
    reference: o.Reference = None,
    unconditional: o.Unconditional = False,
    embedder: o.Embedder = None,
    tokenizer: o.Tokenizer = None,
    chat_template: o.ChatTemplate = None,
    template_date: o.TemplateDate = None,
    trust_remote_code: o.TrustRemoteCode = False,
    set_: o.Set = None,
    backend: o.BackendOption = o.Backend.auto,
    tensor_parallel: o.TensorParallel = None,
    engine: o.EngineOption = o.Engine.local,
    device: o.Device = "auto",
    gpus: o.Gpus = None,
    workers: o.Workers = 1,
    dtype: o.DtypeOption = o.Dtype.auto,
    max_length: o.MaxLength = None,
    truncation: o.Truncation = o.Truncate.keep_start,
    batch_tokens: o.BatchTokens = None,
    rows_as: o.RowsAsOption = None,
    server_timeout: o.ServerTimeout = 120.0,
    strict: o.Strict = False,
    fresh: o.Fresh = False,
    quiet: o.Quiet = False,
) -> None:
    """Build the best pairs from N responses to each prompt.

    Reads candidates, or pairs, whose responses to the same prompt are then pooled. Measures with the given models what
    the data does not hold yet. A run that was stopped goes on when the same command is given again.
    """
    left_out = {"set_", "quiet", "best_of_n2"}
    values = {key: value for key, value in locals().items() if key not in {*left_out, "left_out"} and value is not None}
    from curate.cli import console
    from curate.cli.starting import keep_arrow_memory, leave_out_pandas
    from curate.cli.summaries import print_pair
    from curate.errors import SettingsError
    from curate.jobs.pair import pair as run
    from curate.settings import PairSettings, make, parse_options

    if best_of_n2 and strategy is not Strategy.best_of_n2:
        raise SettingsError("--best-of-n2 and --strategy exclude each other.", f"--strategy {strategy}", "Keep one.")
    leave_out_pandas()
    keep_arrow_memory()
    settings = make(PairSettings, {**values, "options": parse_options(set_ or [])})
    result = run(settings, console.reporter(quiet))
    if not quiet:
        print_pair(result)
