"""Measure, select and build the preference pairs that are worth training on."""

# Written by `python -m tests.docs.stub` from the settings; a test compares.

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from curate.errors import CurateError as CurateError
from curate.jobs.explain import Explanation
from curate.jobs.export import ExportResult
from curate.jobs.generate import GenerateResult
from curate.jobs.inspect import Inspection
from curate.jobs.pair import PairResult
from curate.jobs.report import ReportResult
from curate.jobs.score import ScoreResult
from curate.jobs.select import SelectResult
from curate.jobs.show import Showing
from curate.jobs.weigh import WeighResult
from curate.metrics.registry import Metric
from curate.recipes.preview import RunPlan
from curate.recipes.run import RunResult
from curate.version import __version__ as __version__

Data = Any

def inspect(
    data: Data,
    *,
    limit: int | None = ...,
    columns: Mapping[str, str] = ...,
    ties: Literal["drop", "keep", "error"] = ...,
    deep: bool = ...,
    decontaminate: str | Path | Sequence[str | Path] = ...,
    tokenizer: str | None = ...,
    max_length: int | None = ...,
    pairs: int = ...,
) -> Inspection: ...
def generate(
    data: Data,
    out: str | Path | None = ...,
    *,
    policy: str | Sequence[str],
    limit: int | None = ...,
    columns: Mapping[str, str] = ...,
    strict: bool = ...,
    chat_template: str | Path | None = ...,
    template_date: date | None = ...,
    trust_remote_code: bool = ...,
    backend: Literal["auto", "torch", "vllm"] = ...,
    tensor_parallel: int | None = ...,
    device: str = ...,
    gpus: str | None = ...,
    workers: int = ...,
    engine: Literal["local", "ray"] = ...,
    ray_address: str | None = ...,
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = ...,
    batch_tokens: int | None = ...,
    server_timeout: float = ...,
    fresh: bool = ...,
    samples: int = ...,
    temperature: float | Sequence[float] = ...,
    top_p: float = ...,
    max_tokens: int = ...,
    seed: int = ...,
    keep_duplicates: bool = ...,
    every_row: bool = ...,
    max_length: int | None = ...,
) -> GenerateResult: ...
def score(
    data: Data,
    out: str | Path | None = ...,
    *,
    limit: int | None = ...,
    columns: Mapping[str, str] = ...,
    ties: Literal["drop", "keep", "error"] = ...,
    strict: bool = ...,
    add_flags: str | Sequence[str] = ...,
    decontaminate: str | Path | Sequence[str | Path] = ...,
    chat_template: str | Path | None = ...,
    template_date: date | None = ...,
    trust_remote_code: bool = ...,
    backend: Literal["auto", "torch", "vllm"] = ...,
    tensor_parallel: int | None = ...,
    device: str = ...,
    gpus: str | None = ...,
    workers: int = ...,
    engine: Literal["local", "ray"] = ...,
    ray_address: str | None = ...,
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = ...,
    batch_tokens: int | None = ...,
    server_timeout: float = ...,
    fresh: bool = ...,
    options: Mapping[str, Mapping[str, Any]] = ...,
    metrics: str | Path | Sequence[str | Path] = ...,
    reward: str | Sequence[str] = ...,
    reward_combine: Literal["mean", "min", "median", "zmean"] = ...,
    reward_head: str | Sequence[str] = ...,
    policy: str | None = ...,
    reference: str | None = ...,
    unconditional: bool = ...,
    embedder: str | None = ...,
    tokenizer: str | None = ...,
    cache: str | Path | None = ...,
    cache_limit: str = ...,
    max_length: int | None = ...,
    truncation: Literal["keep_start", "keep_end", "drop"] = ...,
    rows_as: Literal["pairs", "candidates"] | None = ...,
    match: Literal["trl"] | None = ...,
    shard: str | None = ...,
    also: Literal["wpo", "ches"] | Sequence[Literal["wpo", "ches"]] = ...,
) -> ScoreResult: ...
def merge(
    data: Data,
    out: str | Path | None = ...,
    *,
    fresh: bool = ...,
) -> ScoreResult: ...
def select(
    data: Data,
    out: str | Path | None = ...,
    *,
    report: str | Path | None = ...,
    strict: bool = ...,
    options: Mapping[str, Mapping[str, Any]] = ...,
    metrics: str | Path | Sequence[str | Path] = ...,
    preset: str | None = ...,
    by: str | None = ...,
    top: str | None = ...,
    bottom: str | None = ...,
    middle: str | None = ...,
    above: float | None = ...,
    below: float | None = ...,
    order: Literal["highest", "lowest"] | None = ...,
    where: str | None = ...,
    per: str | None = ...,
    per_weights: Mapping[str, float] = ...,
    sort: str | None = ...,
    one_per_prompt: bool = ...,
    drop_ties: bool = ...,
    drop_flags: str | Sequence[str] = ...,
    max_length_gap: int | None = ...,
    left_out: str | Path | None = ...,
) -> SelectResult: ...
def show(
    data: Data,
    *,
    number: int = ...,
    by: str | None = ...,
    worst: bool = ...,
    left_out: bool = ...,
    selected: str | Path | None = ...,
    characters: int = ...,
    metrics: str | Path | Sequence[str | Path] = ...,
) -> Showing: ...
def explain(
    data: Data,
    pair_id: str,
    *,
    selected: str | Path | None = ...,
    metrics: str | Path | Sequence[str | Path] = ...,
) -> Explanation: ...
def pair(
    data: Data,
    out: str | Path | None = ...,
    *,
    report: str | Path | None = ...,
    limit: int | None = ...,
    columns: Mapping[str, str] = ...,
    ties: Literal["drop", "keep", "error"] = ...,
    strict: bool = ...,
    add_flags: str | Sequence[str] = ...,
    decontaminate: str | Path | Sequence[str | Path] = ...,
    chat_template: str | Path | None = ...,
    template_date: date | None = ...,
    trust_remote_code: bool = ...,
    backend: Literal["auto", "torch", "vllm"] = ...,
    tensor_parallel: int | None = ...,
    device: str = ...,
    gpus: str | None = ...,
    workers: int = ...,
    engine: Literal["local", "ray"] = ...,
    ray_address: str | None = ...,
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = ...,
    batch_tokens: int | None = ...,
    server_timeout: float = ...,
    fresh: bool = ...,
    options: Mapping[str, Mapping[str, Any]] = ...,
    metrics: str | Path | Sequence[str | Path] = ...,
    reward: str | Sequence[str] = ...,
    reward_combine: Literal["mean", "min", "median", "zmean"] = ...,
    reward_head: str | Sequence[str] = ...,
    policy: str | None = ...,
    reference: str | None = ...,
    unconditional: bool = ...,
    embedder: str | None = ...,
    tokenizer: str | None = ...,
    cache: str | Path | None = ...,
    cache_limit: str = ...,
    max_length: int | None = ...,
    truncation: Literal["keep_start", "keep_end", "drop"] = ...,
    rows_as: Literal["pairs", "candidates"] | None = ...,
    strategy: Literal["best-of-n2", "max-min", "max-random", "rs-dpo", "sweet-spot", "delta-ucb", "cross-model"] = ...,
    by: str | None = ...,
    order: Literal["highest", "lowest"] | None = ...,
    per_prompt: int | None = ...,
    min_margin: float | None = ...,
    allow_truncated: bool = ...,
    drop_flags: str | Sequence[str] = ...,
    seed: int = ...,
) -> PairResult: ...
def weigh(
    data: Data,
    out: str | Path | None = ...,
    *,
    method: str,
    strict: bool = ...,
    preset: str | None = ...,
    options: Mapping[str, Mapping[str, Any]] = ...,
) -> WeighResult: ...
def export(
    data: Data,
    out: str | Path,
    to: str,
    *,
    columns: Mapping[str, str] = ...,
    ties: Literal["drop", "keep", "error"] = ...,
    strict: bool = ...,
    desirable_above: float | None = ...,
    undesirable_below: float | None = ...,
    keep_scores: bool = ...,
    push: str | None = ...,
) -> ExportResult: ...
def report(
    data: Data,
    out: str | Path,
    *,
    columns: Mapping[str, str] = ...,
    strict: bool = ...,
    options: Mapping[str, Mapping[str, Any]] = ...,
    metrics: str | Path | Sequence[str | Path] = ...,
    selected: str | Path | None = ...,
    compare: str | Path | None = ...,
    by: str | None = ...,
) -> ReportResult: ...
def run(
    recipe: str | Path, out: str | Path | None = None, *, set: Mapping[str, Any] | None = None, fresh: bool = False
) -> RunResult: ...
def plan_run(recipe: str | Path, *, set: Mapping[str, Any] | None = None) -> RunPlan: ...
def catalogue(metrics: str | Path | Sequence[str | Path] = ()) -> dict[str, Metric]: ...
