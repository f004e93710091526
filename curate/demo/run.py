"""The whole job on the demo world: generate, score, select, pair, and compare with the known gold reward."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.demo.gold import gold_reward
from curate.demo.model_folder import RECORD, copy_models
from curate.demo.tiny import one_thread
from curate.demo.train import train_models
from curate.demo.world import make_pairs, make_prompts
from curate.errors import StoreError
from curate.jobs.generate import generate
from curate.jobs.pair import PairResult, pair
from curate.jobs.score import ScoreResult, score
from curate.jobs.select import select
from curate.progress import Reporter, Step
from curate.settings import GenerateSettings, PairSettings, ScoreSettings, SelectSettings
from curate.storage.places import Kind, Place, check_place

PAIRS, PROMPTS, RESPONSES, MOST_TOKENS = 1000, 200, 8, 64
COMPARED = ("bees", "dcrm", "alignment_potential", "reward_margin", "dpo_margin")
SHARE = "10%"


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Attributes:
        folder: holds data/, models/ and results/.
        scored: the scoring of the world's pairs.
        paired: the pairing of the policy's own responses.
        selections: per metric (and for all pairs) the rows, the mean gold margin and the share labelled correctly.
        gold_pairs: mean gold margin of max-min pairs and of best-of-N^2 pairs.
        files: a description of each file.
    """

    folder: Path
    scored: ScoreResult
    paired: PairResult
    selections: list[tuple[str, int, float, float]]
    gold_pairs: dict[str, float]
    files: dict[str, Path]


def run(folder: Path, reporter: Reporter, *, seed: int = 0, train: bool = False) -> DemoResult:
    """Run it all below `folder`, with the shipped models or, if `train`, with models trained now from `seed`."""
    with one_thread():
        return _run(folder, reporter, seed, train)


def _run(folder: Path, reporter: Reporter, seed: int, train: bool) -> DemoResult:
    check_place(Place(folder, DEMO))
    models, data, results = folder / "models", folder / "data", folder / "results"
    if train:
        _train(models, seed, reporter)
    else:
        copy_models(models)
    data.mkdir(parents=True, exist_ok=True)
    results.mkdir(exist_ok=True)
    files = {
        "pairs to be scored": data / "pairs.jsonl",
        "prompts": data / "prompts.jsonl",
        "responses of the policy": data / "candidates.parquet",
        "scored pairs": results / "scored.parquet",
        f"best {SHARE} by bees": results / "selected.parquet",
        "scored responses": results / "candidates.parquet",
        "best-of-N^2 pairs": results / "pairs.parquet",
    }
    pairs, prompts, candidates, scored_file, selected, rated, paired_file = files.values()
    _write_lines(pairs, make_pairs(PAIRS, seed + 1))
    _write_lines(prompts, ({"prompt": one} for one in make_prompts(PROMPTS, seed + 2)))
    policy = str(models / "policy")
    drawing: dict[str, Any] = {"samples": RESPONSES, "max_tokens": MOST_TOKENS, "seed": seed, "fresh": True}
    generate(GenerateSettings(data=(str(prompts),), out=candidates, policy=(policy,), **drawing), reporter)
    given: dict[str, Any] = {"reward": (str(models / "reward"),), "reference": str(models / "reference")}
    with_policy = {**given, "policy": policy}
    scored = score(ScoreSettings(data=(str(pairs),), out=scored_file, fresh=True, **with_policy), reporter)
    select(SelectSettings(data=(str(scored_file),), out=selected, by="bees", top=SHARE), reporter)
    score(ScoreSettings(data=(str(candidates),), out=rated, fresh=True, **given), reporter)
    best = PairSettings(data=(str(rated),), out=paired_file, fresh=True, tokenizer=policy)
    paired = pair(best, reporter)
    baseline = results / "pairs_max_min.parquet"
    pair(best.model_copy(update={"out": baseline, "strategy": "max-min"}), reporter)
    gold = {"max-min": _gold_of(baseline), "best-of-N^2": _gold_of(paired_file)}
    return DemoResult(folder, scored, paired, _selections(scored_file, results, reporter), gold, files)


def _check_name(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise StoreError("The output of the demo is a folder.", str(folder), "Name a new folder with -o.")


def _foreign(folder: Path) -> str | None:
    """Data without the demo's models next to it belongs to somebody else."""
    if (folder / "models" / RECORD).is_file():
        return None
    return next(
        (f"data/{name}" for name in ("pairs.jsonl", "prompts.jsonl") if (folder / "data" / name).exists()), None
    )


DEMO = Kind(_check_name, _foreign, stays=True)
"""The folder of a demo."""


def _train(models: Path, seed: int, reporter: Reporter) -> None:
    with ExitStack() as stack:
        steps: dict[str, tuple[Step, int]] = {}

        def progress(stage: str, step: int, total: int) -> None:
            if stage not in steps:
                stack.close()
                steps[stage] = (stack.enter_context(reporter.step(f"training {stage}", total, unit="steps")), 0)
            shown, before = steps[stage]
            shown.advance(step - before)
            steps[stage] = (shown, step)

        train_models(models, seed=seed, progress=progress)


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _selections(scored: Path, results: Path, reporter: Reporter) -> list[tuple[str, int, float, float]]:
    found = [("all pairs", *_gold_quality(pl.read_parquet(scored)))]
    for metric in COMPARED:
        out = results / "by_metric" / f"{metric}.parquet"
        select(SelectSettings(data=(str(scored),), out=out, by=metric, top=SHARE), reporter)
        found.append((f"top {SHARE} by {metric}", *_gold_quality(pl.read_parquet(out))))
    return found


def _gold_quality(pairs: pl.DataFrame) -> tuple[int, float, float]:
    margin = pairs["gold_chosen"] - pairs["gold_rejected"]
    return pairs.height, float(margin.mean() or 0.0), float((margin > 0).mean() or 0.0)  # type: ignore[arg-type]


def _gold_of(path: Path) -> float:
    rows = pl.read_parquet(path, columns=["prompt", "chosen", "rejected"]).iter_rows()
    margins = [gold_reward(p, c[-1]["content"]) - gold_reward(p, r[-1]["content"]) for p, c, r in rows]
    return sum(margins) / len(margins)
