"""What one cell does: make its training set, tune the learning rate, train, and judge by gold."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import polars as pl

from curate.demo.gold import gold_reward, items_named, style_of
from curate.demo.world import make_prompts
from curate.jobs.pair import pair
from curate.jobs.score import score
from curate.jobs.select import select
from curate.jobs.weigh import WeighSettings, weigh
from curate.progress import Silent
from curate.settings import PairSettings, ScoreSettings, SelectSettings
from tests.evidence.cells import WORLDS, Amounts, Cell, draw_folder
from tests.evidence.draws import JUDGED, TUNING, Draw
from tests.evidence.training import train

TEMPERATURE = 0.7
COLUMNS = {"random": "random", "oracle": "gold_margin"}
"""Controls of the selection table: columns that every draw's pairs have."""
NORMALISED = {"dcrm": {"distance": ["edit", "logp"]}}


def run_cell(cell: Cell, amounts: Amounts, cache: Path) -> dict[str, Any]:
    """The cell's row of results; what its draw needs is made in `cache`, or found there."""
    began = time.process_time()
    draw = Draw(WORLDS[cell.world], cell.draw, amounts, cache / draw_folder(cell, amounts))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows, rate = 0, 0.0
        if cell.method == "untrained":
            model = draw.reference
        else:
            pairs = training_set(cell, draw, folder)
            rows = pairs.height
            model, rate = _tuned(cell, pairs, draw, folder)
        found = judge(draw, model, folder)
    seconds = time.process_time() - began
    return {"key": cell.key, "config": cell.config(amounts), "pairs": rows, "rate": rate, "seconds": seconds, **found}


def training_set(cell: Cell, draw: Draw, folder: Path) -> pl.DataFrame:
    """The pairs that the cell trains on."""
    if cell.table == "pairing":
        return _paired(cell.method, draw, folder)
    scored = draw.scored()
    if cell.table == "loss" and cell.method == "beta_dpo":
        weigh(WeighSettings(data=(str(scored),), out=folder / "weighed.parquet", method="beta-dpo"), Silent())
        return pl.read_parquet(folder / "weighed.parquet")
    if cell.table == "loss":
        return pl.read_parquet(scored).with_columns(margin=pl.col("chosen_reward") - pl.col("rejected_reward"))
    if cell.method == "all":
        return pl.read_parquet(scored)
    by = COLUMNS.get(cell.method, cell.method)
    select(SelectSettings(data=(str(scored),), out=folder / "kept.parquet", by=by, top=cell.share), Silent())
    return pl.read_parquet(folder / "kept.parquet")


def _paired(method: str, draw: Draw, folder: Path) -> pl.DataFrame:
    pool = draw.pool()
    if method == "random":
        return random_pairs(pl.read_parquet(pool), draw.seed(0))
    strategy, _, metric = method.partition(":")
    given: dict[str, Any] = {"strategy": strategy, "tokenizer": str(draw.reference), "seed": draw.seed(0)}
    if metric:
        given["by"] = metric.removesuffix("-normalised")
    if metric.endswith("-normalised"):
        given["options"] = NORMALISED
    pair(PairSettings(data=(str(pool),), out=folder / "pairs.parquet", fresh=True, **given), Silent())
    return pl.read_parquet(folder / "pairs.parquet")


def random_pairs(pool: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Two responses of each prompt drawn at random, the one of higher reward as chosen; no pair where rewards tie."""
    rng, rows = Random(f"random pairs {seed}"), []
    for prompt, texts, rewards in pool.select("prompt", "responses", "rewards").iter_rows():
        if len(texts) < 2:
            continue
        worse, better = sorted(rng.sample(range(len(texts)), 2), key=rewards.__getitem__)
        if rewards[worse] < rewards[better]:
            sides = [[{"role": "assistant", "content": texts[at]}] for at in (better, worse)]
            rows.append({"prompt": prompt, "chosen": sides[0], "rejected": sides[1]})
    return pl.DataFrame(rows)


def _tuned(cell: Cell, pairs: pl.DataFrame, draw: Draw, folder: Path) -> tuple[Path, float]:
    """The model of the learning rate whose samples are worth most on held-out prompts, and that rate."""
    prompts = make_prompts(draw.amounts.tuning, draw.seed(TUNING))
    loss = cell.method if cell.table == "loss" else "dpo"
    worth: dict[float, float] = {}
    for rate in draw.amounts.rates:
        train(pairs, draw.reference, folder / str(rate), loss, rate, draw.amounts, draw.seed(0))
        drawn = _samples(draw, f"tuning{rate}", prompts, folder / str(rate), TUNING, folder)
        golds = _golds(drawn)
        worth[rate] = sum(golds) / len(golds)
    best = max(worth, key=worth.__getitem__)
    return folder / str(best), best


def judge(draw: Draw, model: Path, folder: Path) -> dict[str, Any]:
    """Outcomes of a model on fresh prompts and held-out pairs.

    Returns:
        `gold`, `chosen_change`: a number for each prompt and each held-out pair (nats); `tokens`, `log_ratio`,
        `malformed`: means over the samples. `log_ratio` is log pi - log ref at temperature 1 of samples drawn at 0.7.
    """
    prompts = make_prompts(draw.amounts.judged, draw.seed(JUDGED))
    drawn = _samples(draw, "judged", prompts, model, JUDGED, folder)
    models: dict[str, Any] = {"policy": str(model), "reference": str(draw.reference), "fresh": True}
    score(ScoreSettings(data=(str(drawn),), out=folder / "rated.parquet", **models), Silent())
    held_out = folder / "held_out.parquet"
    score(ScoreSettings(data=(str(draw.held_out()),), out=held_out, **models), Silent())
    pairs, rated = pl.read_parquet(held_out), pl.read_parquet(folder / "rated.parquet")
    ratios = [p[0] - r[0] for p, r in rated.select("policy_logps", "ref_logps").iter_rows()]
    bad = [
        malformed(texts[0]) or reasons[0] == "length"
        for texts, reasons in rated.select("responses", "finish_reasons").iter_rows()
    ]
    return {
        "gold": _golds(drawn),
        "chosen_change": (pairs["policy_chosen_logps"] - pairs["ref_chosen_logps"]).to_list(),
        "tokens": sum(one[0] for one in rated["tokens"]) / rated.height,
        "log_ratio": sum(ratios) / len(ratios),
        "malformed": sum(bad) / len(bad),
    }


def malformed(text: str) -> bool:
    """Whether a response has no form that the world knows, or answers with no item at all."""
    return style_of(text) is None or not items_named(text)


def _samples(draw: Draw, name: str, prompts: Any, model: Path, use: int, folder: Path) -> Path:
    here = Draw(draw.world, draw.number, draw.amounts, folder)
    return here.sample(name, prompts, model, 1, TEMPERATURE, draw.seed(use))


def _golds(drawn: Path) -> list[float]:
    rows = pl.read_parquet(drawn, columns=["prompt", "responses"]).iter_rows()
    return [gold_reward(prompt, texts[0]) for prompt, texts in rows]
