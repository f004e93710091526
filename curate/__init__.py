"""Measure, select and build the preference pairs that are worth training on.

Every command has a Python equal of the same name: `curate.score("pairs.jsonl", "scored.parquet", policy=...)`. Keyword
arguments are the command's options, with underscores; metric parameters are given as `options={"dcrm": {"eps": 0.1}}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError
from curate.version import __version__

if TYPE_CHECKING:
    from curate.jobs.explain import Explanation
    from curate.jobs.export import ExportResult
    from curate.jobs.generate import GenerateResult
    from curate.jobs.inspect import Inspection
    from curate.jobs.pair import PairResult
    from curate.jobs.score import ScoreResult
    from curate.jobs.select import SelectResult
    from curate.jobs.weigh import WeighResult
    from curate.metrics.registry import Metric
    from curate.recipes.preview import RunPlan
    from curate.recipes.run import RunResult

Data = str | Path | Sequence[str | Path]


def _names(data: Data) -> tuple[str, ...]:
    return (str(data),) if isinstance(data, str | Path) else tuple(str(one) for one in data)


def _run(name: str, data: Data, **settings: Any) -> Any:
    from curate.jobs import JOBS, job
    from curate.progress import Silent
    from curate.settings import make

    return job(name).run(make(JOBS[name], {"data": _names(data), **settings}), Silent())


def generate(data: Data, out: str | Path, **settings: Any) -> GenerateResult:
    """Sample responses to prompts: `curate generate`.

    `policy` and `temperature` are one value or several: `generate("p.jsonl", "c.parquet", policy="m", samples=8)`.

    Raises:
        CurateError: whatever the command would print as an error.
    """
    result: GenerateResult = _run("generate", data, out=out, **settings)
    return result


def score(data: Data, out: str | Path, **settings: Any) -> ScoreResult:
    """Measure pairs or candidates, and add metrics: `curate score`.

    Raises:
        CurateError: whatever the command would print as an error.
    """
    result: ScoreResult = _run("score", data, out=out, **settings)
    return result


def select(data: Data, out: str | Path, **settings: Any) -> SelectResult:
    """Keep the best rows of a scored table: `curate select`.

    Raises:
        CurateError: whatever the command would print as an error.
    """
    result: SelectResult = _run("select", data, out=out, **settings)
    return result


def pair(data: Data, out: str | Path, **settings: Any) -> PairResult:
    """Build the best pairs from N responses to each prompt: `curate pair`.

    Raises:
        CurateError: whatever the command would print as an error.
    """
    result: PairResult = _run("pair", data, out=out, **settings)
    return result


def weigh(data: Data, out: str | Path, **settings: Any) -> WeighResult:
    """Add the columns that margin-aware trainers read: `curate weigh`.

    Raises:
        CurateError: whatever the command would print as an error.
    """
    result: WeighResult = _run("weigh", data, out=out, **settings)
    return result


def export(data: Data, out: str | Path, to: str, **settings: Any) -> ExportResult:
    """Write what a trainer reads: `curate export`.

    Raises:
        CurateError: whatever the command would print as an error.
    """
    result: ExportResult = _run("export", data, out=out, to=to, **settings)
    return result


def explain(
    data: Data, pair_id: str, *, selected: str | Path | None = None, metrics: str | Path | Sequence[str | Path] = ()
) -> Explanation:
    """Look up one pair: its numbers with their percentiles, the terms of its metrics: `curate explain`.

    Args:
        data: a scored table.
        pair_id: its `pair_id`, or how it begins.
        selected: what `select` kept of this table, to learn why the pair was kept or not.
        metrics: your own files of metrics.

    Raises:
        CurateError: there is no such pair, or the selection was not made from this table.
    """
    found: Explanation = _run("explain", data, pair_id=pair_id, selected=selected, metrics=_names(metrics))
    return found


def inspect(data: Data) -> Inspection:
    """Say which layout the data has, and what is wrong with it: `curate inspect`.

    Raises:
        CurateError: the data cannot be read.
    """
    found: Inspection = _run("inspect", data)
    return found


def run(
    recipe: str | Path, out: str | Path | None = None, *, set: Mapping[str, Any] | None = None, fresh: bool = False
) -> RunResult:
    """Run the steps of a recipe file: `curate run`.

    Args:
        recipe: the file.
        out: the folder of the steps' outputs; by default the recipe's name, in the working folder.
        set: what replaces the recipe's inputs and settings: `{"data": "pairs.jsonl", "select.top": "25%"}`.
        fresh: run every step again.

    Raises:
        CurateError: whatever the command would print as an error.
    """
    from curate.progress import Silent
    from curate.recipes.check import prepare
    from curate.recipes.file import read_recipe
    from curate.recipes.run import day_of
    from curate.recipes.run import run as run_steps

    file = read_recipe(Path(recipe))
    place = Path(out or file.recipe.name)
    return run_steps(prepare(file, set or {}, place, None if fresh else day_of(place)), Silent(), fresh=fresh)


def plan_run(recipe: str | Path, *, set: Mapping[str, Any] | None = None) -> RunPlan:
    """Say what `run` would do and about what it costs, fetching and opening nothing: `curate run --plan`.

    Raises:
        CurateError: whatever the command would print as an error.
    """
    from curate.recipes.file import read_recipe
    from curate.recipes.preview import plan_run as plan

    file = read_recipe(Path(recipe))
    return plan(file, set or {}, Path(file.recipe.name))


def catalogue(metrics: str | Path | Sequence[str | Path] = ()) -> dict[str, Metric]:
    """Every metric by name, with those of your own files of metrics: `curate metrics`.

    Raises:
        CurateError: a file cannot be used, or one of its metrics has a name that is taken.
    """
    from curate.metrics.catalogue import catalogue_of

    return dict(catalogue_of([Path(one) for one in _names(metrics)]).metrics)


__all__ = [
    "CurateError",
    "__version__",
    "catalogue",
    "explain",
    "export",
    "generate",
    "inspect",
    "pair",
    "plan_run",
    "run",
    "score",
    "select",
    "weigh",
]
