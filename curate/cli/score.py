"""`curate score`."""

from __future__ import annotations

from curate.cli import options as o


def score(
    data: o.Data,
    out: o.Out,
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
    match: o.MatchOption = None,
    batch_tokens: o.BatchTokens = None,
    rows_as: o.RowsAsOption = None,
    server_timeout: o.ServerTimeout = 120.0,
    strict: o.Strict = False,
    fresh: o.Fresh = False,
    quiet: o.Quiet = False,
) -> None:
    """Measure pairs or candidates, and add metrics.

    A run that was stopped goes on where it was when the same command is given again.
    """
    values = {key: value for key, value in locals().items() if key not in {"set_", "quiet"} and value is not None}
    from curate.cli import console
    from curate.cli.summaries import print_score
    from curate.jobs.score import score as run
    from curate.settings import ScoreSettings, make, parse_options

    settings = make(ScoreSettings, {**values, "options": parse_options(set_ or [])})
    result = run(settings, console.reporter(quiet))
    if not quiet:
        print_score(result)
