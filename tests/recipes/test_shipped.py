"""Every file in recipes/, planned as it is and run on the demo world."""

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from curate.demo.world import make_pairs
from curate.recipes.file import read_recipe
from curate.recipes.preview import plan_run
from curate.recipes.run import RunResult

from .helpers import go, ran

FILES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
PAIRS, PROMPTS, RESPONSES = 40, 10, 4
REF = {"ref_chosen_logps", "ref_rejected_logps"}
TARGET, WEIGHT, MARGIN = {"target_margin"}, {"weight"}, {"margin"}
ROWS_AND_COLUMNS = {
    "alignment-potential": (16, set()),
    "amapo": (PAIRS, TARGET | MARGIN),
    "bpo": (PAIRS, REF | MARGIN),
    "dcrm": (PROMPTS, REF),
    "iterative-dpo": (10, set()),
    "on-policy-best-of-n2": (PAIRS, REF),
    "gamma-po": (PAIRS, TARGET | MARGIN),
    "less-is-more": (4, REF),
    "madpo": (PAIRS, WEIGHT | MARGIN),
    "repo": (PAIRS, WEIGHT | MARGIN),
    "ultrafeedback-bees": (4, REF),
}
"""Of the 40 pairs or 10 prompts: floor(share * rows), and the numbers that the trainer is given."""


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def file(request):
    return read_recipe(request.param)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Pairs of the demo world, and candidates from them."""
    folder = tmp_path_factory.mktemp("recipes")
    pairs = make_pairs(PAIRS, 1)
    texts = [row[side][-1]["content"] for row in pairs for side in ("chosen", "rejected")]
    candidates = [
        {"prompt": row["chosen"][:-1], "responses": texts[i * RESPONSES : (i + 1) * RESPONSES]}
        for i, row in enumerate(pairs[:PROMPTS])
    ]
    for name, rows in (("pairs", pairs), ("candidates", candidates)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def world(file, place, **models):
    """What a recipe is given: data of its kind, and models for the inputs that name some."""
    first = file.recipe.steps[0].with_
    kind = "candidates" if first.get("rows_as") == "candidates" else "pairs"
    given = {"policy": "fake:1", "reference": "fake:2", "reward": "fake:3", **models}
    inputs = {name: value for name, value in given.items() if name in file.recipe.inputs}
    return {"data": str(place / f"{kind}.jsonl"), **inputs}


def test_its_name_is_its_files(file):
    assert file.recipe.name == file.path.stem


def test_it_says_what_was_verified(file):
    paper = file.recipe.paper
    assert paper is not None
    assert paper.title
    assert len(paper.verified.split()) > 3
    assert len(paper.not_verified.split()) > 3
    assert all(one.about for one in file.recipe.inputs.values())


def test_it_plans_without_its_data(file, tmp_path):
    plan = plan_run(file, {}, tmp_path / "out")
    assert plan.unknown == (file.recipe.inputs["data"].default,)
    assert not plan.missing
    assert not (tmp_path / "out").exists()


def test_it_runs_on_the_demo_world(file, place, tmp_path):
    given = world(file, place)
    plan = plan_run(file, given, tmp_path / "out")
    result = go(file, tmp_path / "out", **given)
    assert ran(result) == [step.name for step in plan.steps]
    check_final(file.recipe.name, result)
    # the estimate of rows was none too low, and exact where it said so
    for step, planned in zip(result.steps, plan.steps, strict=True):
        rows = rows_of(step.out)
        assert rows <= planned.rows
        assert planned.at_most or rows == planned.rows
    assert ran(go(file, tmp_path / "out", **given)) == []


def rows_of(out: Path) -> int:
    return sum(pq.read_metadata(path).num_rows for path in ([out] if out.is_file() else out.glob("*.parquet")))


def check_final(name: str, result: RunResult) -> None:
    rows, columns = ROWS_AND_COLUMNS[name]
    table = pl.read_parquet(result.final / "train.parquet")
    trained = {column for column in table.columns if not column.startswith("curate_")}
    assert table.height == rows
    assert trained == {"prompt", "chosen", "rejected"} | columns
    assert all(table[column].null_count() == 0 for column in columns)
    assert (table["chosen"] != table["rejected"]).all()


def test_ultrafeedback_bees_leaves_out_ties_and_counts_three_witnesses(place, tmp_path):
    file = read_recipe(next(path for path in FILES if path.stem == "ultrafeedback-bees"))
    go(file, tmp_path / "out", **world(file, place))
    scored = pl.read_parquet(tmp_path / "out" / "01-score.parquet")
    kept = pl.read_parquet(tmp_path / "out" / "02-select.parquet")
    assert {"chosen_reward_model", "chosen_reward_judge"} <= set(scored.columns)
    assert (kept["chosen_reward"] != kept["rejected_reward"]).all()
    best = scored.sort("bees", descending=True)["pair_id"].to_list()
    assert set(kept["pair_id"]) <= set(best[: kept.height + 3])


def test_bpo_keeps_its_columns(place, tmp_path):
    file = read_recipe(next(path for path in FILES if path.stem == "bpo"))
    result = go(file, tmp_path / "out", **world(file, place))
    columns = pl.read_parquet(result.final / "train.parquet").columns
    assert {"curate_bpo_margin", "curate_bpo_binding", "curate_chosen_degraded"} <= set(columns)


def test_less_is_more_with_trained_models_finds_good_pairs(demo_models, place, tmp_path):
    file = read_recipe(next(path for path in FILES if path.stem == "less-is-more"))
    models = {name: str(demo_models / name) for name in ("policy", "reference", "reward")}
    go(file, tmp_path / "out", **world(file, place, **models))
    scored, kept = (pl.read_parquet(tmp_path / "out" / name) for name in ("01-score.parquet", "02-select.parquet"))
    gold = [(table["gold_chosen"] - table["gold_rejected"]).mean() for table in (scored, kept)]
    assert gold[1] > gold[0]
