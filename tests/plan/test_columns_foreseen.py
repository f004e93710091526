"""The columns that a plan, or a recipe before it runs, foresees are those of the file that is then written."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.jobs import job
from curate.jobs import pair as pair_room
from curate.metrics import registry
from curate.metrics.registry import metric
from curate.plan import columns as plan_room
from curate.plan.columns import computable
from curate.plan.scoring import Plan, make_plan
from curate.plan.shape import look
from curate.readers import detect
from curate.schema import named_reward, table_columns
from curate.settings import PairSettings, ScoreSettings, make
from tests.commands.helpers import run_pair, run_score, write_jsonl

PAIR: dict[str, Any] = {"prompt": "p", "chosen": "a b c", "rejected": "a d"}
LISTS: dict[str, Any] = {"prompt": "p", "responses": ["a b c", "a d"]}
LOGPS = {"ref_chosen_logps": -3.0, "ref_rejected_logps": -2.0}
# as many as the fake model counts: other tokens would be refused
TOKENS = {"chosen_tokens": 6, "rejected_tokens": 4}
PAIRS: dict[str, dict[str, Any]] = {
    "bare": PAIR,
    "scored": PAIR | {"score_chosen": 2.0, "score_rejected": 1.0},
    "with a reference": PAIR | LOGPS,
    "with a reference and tokens": PAIR | LOGPS | TOKENS,
    "with tokens": PAIR | TOKENS,
    "with a named reward": PAIR | {"chosen_reward_x": 2.0, "rejected_reward_x": 1.0},
    "cut": PAIR | {f"{side}_truncated": side == "chosen" for side in ("chosen", "rejected")},
    "alone": PAIR | {f"policy_{side}_alp_alone": -1.0 for side in ("chosen", "rejected")},
}
CANDIDATES: dict[str, dict[str, Any]] = {
    "candidates": LISTS | {"rewards": [2.0, 1.0], "tokens": [6, 4], "policy_logps": [-3.0, -2.0]},
    "candidates with a named reward": LISTS | {"rewards": [2.0, 1.0], "rewards_x": [2.0, 1.0]},
    "bare candidates": LISTS | {"finish_reasons": ["stop", "stop"], "tokens": [3, 2]},
}
REWARDS: tuple[tuple[str, ...], ...] = (
    (),
    ("fake:3",),
    ("a=fake:3",),
    ("fake:3", "b=fake:4"),
    ("python:rewards_of_a_test:f",),
    ("judge:fake:5",),
)
MODELS: tuple[dict[str, Any], ...] = (
    {},
    {"policy": "fake:1"},
    {"reference": "fake:2"},
    {"policy": "fake:1", "reference": "fake:2"},
    {"policy": "fake:1", "unconditional": True},
)


def combinations(kind: str) -> list[dict[str, Any]]:
    """Every reward and every choice of models, each with some of the others: for every kind of data with other ones."""
    first = [*PAIRS, *CANDIDATES].index(kind)
    return [
        {"reward": reward, **MODELS[(first + i) % len(MODELS)], **({"embedder": "fake:6"} if (first + i) % 2 else {})}
        for i, reward in enumerate(REWARDS)
    ]


@metric(unit="tokens", prefer="high", monotone_in_edit=True)
def edit_only(edit_distance: pl.Series) -> pl.Series:
    """What every pair has."""
    return edit_distance


@pytest.fixture(autouse=True)
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rewards_of_a_test.py").write_text(
        "def f(batch):\n    return [float(len(r['response'])) for r in batch]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    known = registry.all_metrics() | {"edit_only": edit_only}
    for module in (registry, plan_room, pair_room):
        monkeypatch.setattr(module, "all_metrics", lambda: known)


def measured(path: Path) -> set[str]:
    """The measurements in a file of pairs."""
    known = {column.name for column in table_columns()} - {"pair_id", "flags", "chosen_index", "rejected_index"}
    known -= {"chosen_model", "rejected_model"}
    named = (named_reward("").chosen, named_reward("").rejected)
    return {name for name in pl.read_parquet_schema(path) if name in known or name.startswith(named)}


def check(settings: ScoreSettings | PairSettings, plan: Plan, foreseen: frozenset[str]) -> None:
    """The file holds the measurements and the metrics that were foreseen."""
    columns, written = set(pl.read_parquet_schema(settings.out)), measured(settings.out)
    assert plan.pair_columns() == written, settings
    assert columns & registry.all_metrics().keys() == set(computable(written, settings)), settings
    known = registry.all_metrics().keys() | {column.name for column in table_columns()} | {"chosen", "rejected"}
    assert foreseen & known >= columns & known - {"chosen_model", "rejected_model"}, settings


@pytest.mark.parametrize("kind", PAIRS)
def test_columns_of_a_score_are_those_foreseen(tmp_path: Path, kind: str) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", [PAIRS[kind] | {"prompt": "q"}])
    for i, given in enumerate(combinations(kind)):
        settings = make(ScoreSettings, {"data": (str(data),), "out": tmp_path / f"{i}.parquet", **given})
        plan = make_plan(settings, "pairs")
        run_score(data, settings.out, **given)
        check(settings, plan, job("score").shape(settings, look([str(data)], detect)).columns)


@pytest.mark.parametrize("kind", [*PAIRS, *CANDIDATES])
def test_columns_of_pairs_are_those_foreseen(tmp_path: Path, kind: str) -> None:
    row = (PAIRS | CANDIDATES)[kind]
    data = write_jsonl(tmp_path / "d.jsonl", [row | {"prompt": "q"}])
    for i, one in enumerate(combinations(kind)):
        rewards = one["reward"]
        # By their own order where nothing rates them; a judge rates the pairs of this data alike.
        by = "reward_margin" if rewards and "judge" not in rewards[0] else "edit_only"
        given = {"by": by, "allow_truncated": True, **one}
        settings = make(PairSettings, {"data": (str(data),), "out": tmp_path / f"{i}.parquet", **given})
        plan = make_plan(settings, None)
        run_pair(data, settings.out, **given)
        check(settings, plan, job("pair").shape(settings, look([str(data)], detect)).columns)
