"""Few edit distances pick the very pairs that all of them pick."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from curate.metrics import registry
from curate.metrics.registry import Metric, metric
from curate.pairs import search as pairing
from curate.pairs.bounds import Candidates, Ranking, best_pairs
from curate.pairs.distances import Distances
from curate.pairs.table import pair_frame
from curate.responses import pools
from curate.scorers.edit_distance import EditDistance
from curate.tokens import WordsTokenizer
from tests.commands.helpers import candidate_rows, read_manifest, rows_of, run_pair, write_jsonl
from tests.examples import examples

TERMS = st.lists(st.sampled_from(["edit_count", "edit", "logp", "logp_sum"]), min_size=1).map(tuple) | st.just(
    ("auto",)
)
REWARDS = st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0, 3.0, -2.0, 1e-300, None])
LOGPS = st.sampled_from([-1.0, -1.5, -8.0, -8.0, -30.0, None])
NUMBERS = {"reward": REWARDS, "ref_logps": LOGPS, "policy_logps": LOGPS}


@metric(unit="", prefer="high", monotone_in_edit=True)
def rising(edit_distance: pl.Series, chosen_tokens: pl.Series) -> pl.Series:
    """Rises with the distance for short chosen responses, falls for long ones."""
    return edit_distance * (3 - chosen_tokens)


@metric(unit="", prefer="low")
def bumpy(edit_distance: pl.Series) -> pl.Series:
    """Neither rises nor falls."""
    return edit_distance * (4 - edit_distance)


@metric(unit="", prefer="high", monotone_in_edit=True)
def through_bumpy(bumpy: pl.Series) -> pl.Series:
    """Says that it is monotone, but what it reads does not."""
    return -bumpy


@metric(unit="", prefer="high", monotone_in_edit=True)
def infinite(edit_distance_norm: pl.Series, chosen_reward: pl.Series) -> pl.Series:
    """Has no value where the distance is 0."""
    return chosen_reward / edit_distance_norm


@pytest.fixture(autouse=True)
def more_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    known = registry.all_metrics() | {one.name: one for one in (rising, bumpy, through_bumpy, infinite)}
    monkeypatch.setattr(registry, "all_metrics", lambda: known)


def ranked(frame: pl.DataFrame, merits: np.ndarray, margins: np.ndarray, keep: int) -> dict[int, list[int]]:
    """Per prompt its best positions, by sorting."""
    found: dict[int, list[int]] = {}
    known = [place for place in range(frame.height) if not np.isnan(merits[place])]
    for place in sorted(known, key=lambda p: (-merits[p], -margins[p], p)):
        found.setdefault(frame["prompt"][place], []).append(place)
    return {prompt: places[:keep] for prompt, places in found.items()}


@st.composite
def texts_and_numbers(draw: st.DrawFn) -> tuple[list[str], np.ndarray, dict[str, np.ndarray]]:
    """Texts of a few words, the prompt of each, and their numbers; equal texts and missing numbers among them."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    words = st.lists(st.sampled_from("abcde"), max_size=6).map(" ".join)
    texts = draw(st.lists(words, min_size=sum(sizes), max_size=sum(sizes)))
    numbers = {
        name: np.array(draw(st.lists(values, min_size=sum(sizes), max_size=sum(sizes))), float)
        for name, values in NUMBERS.items()
    }
    numbers["tokens"] = np.array([float(len(text.split()) + 1) for text in texts])
    return texts, np.repeat(np.arange(len(sizes)), sizes), numbers


RANKINGS = st.builds(
    Ranking,
    by=st.sampled_from(["dcrm", "dcrm", "dcrm", "reward_margin", "simpo_margin", "length_ratio", "rising", "infinite"]),
    options=st.fixed_dictionaries(
        {
            "dcrm": st.fixed_dictionaries(
                {
                    "distance": TERMS,
                    "eps": st.sampled_from([1.0, 0.01, 1e-12, 1e-310, 1e9]),
                    "scale": st.sampled_from([1.0, 1e-3, 1e3, 1e20]),
                }
            )
        }
    ),
    present=st.just(frozenset({"ref_chosen_logps", "ref_rejected_logps"})),
    highest=st.booleans(),
    keep=st.integers(1, 4),
)


@examples(3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts_and_numbers(), RANKINGS, st.booleans())
def test_the_best_pairs_are_those_of_measuring_everything(
    pool: tuple[list[str], np.ndarray, dict[str, np.ndarray]], ranking: Ranking, positive: bool
) -> None:
    texts, prompts, numbers = pool
    every = np.array(
        [
            (prompts[i], i, j)
            for i, j in itertools.permutations(range(len(texts)), 2)
            if prompts[i] == prompts[j]
            and texts[i] != texts[j]
            and (not positive or numbers["reward"][i] > numbers["reward"][j])
        ],
        np.int64,
    ).reshape(-1, 3)
    comparison = Distances(EditDistance(WordsTokenizer()), None).of(dict(enumerate(texts)))
    first, second = comparison.numbers(every[:, 1]), comparison.numbers(every[:, 2])
    margins = np.nan_to_num(numbers["reward"][every[:, 1]] - numbers["reward"][every[:, 2]])
    known = pair_frame(numbers, every[:, 1], every[:, 2], comparison.known(first, second))
    candidates = Candidates(every[:, 0], first, second, margins, known, comparison)
    assert ranking.prunes
    found = best_pairs(candidates, ranking)

    merits = ranking.merits(candidates.frame(np.arange(len(every)), comparison.edits(first, second)))
    wanted = ranked(pl.DataFrame({"prompt": every[:, 0]}), merits, margins, ranking.keep)
    assert found.tolist() == sorted(place for places in wanted.values() for place in places)


def outputs(folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> tuple[Any, Any]:
    """What a run gives, and what it gives when it measures everything: rows and manifest."""
    found = []
    for name, prunes in (("few", True), ("all", False)):
        with monkeypatch.context() as patched:
            if not prunes:
                patched.setattr(pairing.Ranking, "prunes", False)
            run_pair(data, folder / f"{name}.parquet", **more)
        found.append((rows_of(folder / f"{name}.parquet"), read_manifest(folder / f"{name}.parquet")))
    return found[0], found[1]


def measured_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Candidates with everything measured that a metric reads, but for embeddings; some of it missing."""
    rng = np.random.default_rng(seed)
    rows = candidate_rows(count, seed)
    for row in rows:
        for name in ("policy_logps", "ref_logps"):
            row[name] = [None if rng.random() < 0.05 else -float(rng.gamma(5, 4)) for _ in row["responses"]]
        row["tokens"] = [len(text.split()) + 1 for text in row["responses"]]
    return rows


SETTINGS: list[dict[str, Any]] = [
    {},
    {"order": "lowest", "per_prompt": 2},
    {"set_": ["dcrm.distance=edit_count", "dcrm.scale=0.1"], "min_margin": 0.5},
    {"set_": ["dcrm.distance=edit"]},
    {"set_": ["dcrm.distance=edit"], "order": "lowest"},
    {"set_": ["dcrm.distance=edit", "dcrm.eps=1e-9"], "per_prompt": 3},
    {"set_": ["dcrm.distance=edit", "dcrm.scale=1e-4"], "per_prompt": 100},
    {"set_": ["dcrm.distance=edit,logp", "dcrm.scale=0.1"], "min_margin": 0.5},
    {"set_": ["dcrm.distance=edit,embedding", "dcrm.eps=0.1"], "embedder": "fake:1"},
    {"set_": ["dcrm.distance=logp_sum,embedding"], "embedder": "fake:1", "order": "lowest"},
    {"by": "reward_margin", "per_prompt": 2},
    {"by": "length_difference", "order": "lowest"},
    {"by": "dpo_gap"},
    {"by": "rm_agrees", "allow_truncated": True},
    {"by": "rising", "per_prompt": 2},
]


@pytest.mark.parametrize("options", SETTINGS, ids=str)
@pytest.mark.parametrize("seed", [20, 21])
def test_the_output_is_that_of_measuring_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], seed: int
) -> None:
    data = write_jsonl(tmp_path / "c.jsonl", measured_rows(40, seed))
    (few, said), (all_, said_of_all) = outputs(tmp_path, data, monkeypatch, **options)
    assert few == all_
    counted, brute = said.pop("edit_distances"), said_of_all.pop("edit_distances")
    assert said == said_of_all
    assert counted["pairs"] == brute["pairs"] == brute["measured"]
    assert counted["measured"] <= brute["measured"]
    assert brute["broken_off"] == 0


def test_without_rewards_both_directions_share_a_distance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"prompt": "p", "responses": ["a b c", "a b", "a", "d e f"]}]
    data = write_jsonl(tmp_path / "c.jsonl", rows)
    (few, said), (all_, said_of_all) = outputs(tmp_path, data, monkeypatch, by="rising", order="lowest")
    assert few == all_
    assert said_of_all["edit_distances"] == {"measured": 6, "broken_off": 0, "pairs": 6}
    assert said["edit_distances"]["measured"] < 6


def test_pairs_pooled_by_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"prompt": f"p {row['id'] % 4}", "chosen": a, "rejected": b, "score_chosen": len(a), "score_rejected": len(b)}
        for row in candidate_rows(30, 5)
        for a, b in itertools.pairwise(row["responses"])
    ]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    (few, said), (all_, said_of_all) = outputs(tmp_path, data, monkeypatch, per_prompt=4)
    assert few == all_
    assert said["edit_distances"]["measured"] < said_of_all["edit_distances"]["measured"]


@pytest.mark.parametrize("by", ["bumpy", "through_bumpy"])
def test_a_metric_without_bounds_has_every_distance_measured(tmp_path: Path, by: str) -> None:
    data = write_jsonl(tmp_path / "c.jsonl", candidate_rows(20, 6))
    run_pair(data, tmp_path / "p.parquet", by=by)
    counted = read_manifest(tmp_path / "p.parquet")["edit_distances"]
    assert counted["measured"] == counted["pairs"] > 20


def test_a_metric_that_reads_no_distance_needs_those_of_its_picks_only(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "c.jsonl", candidate_rows(20, 7))
    result = run_pair(data, tmp_path / "p.parquet", by="reward_margin")
    counted = result.edit_distances
    assert counted["measured"] == result.pairs < counted["pairs"]


def test_long_responses_that_differ_in_length_need_few(tmp_path: Path) -> None:
    # One response is much better than all others. Of these the longest are the nearest to it in length, and one of
    # them is nearly equal to it: no other can come so near.
    rows = [
        {
            "prompt": f"p {i}",
            "responses": ["w " * 40, *(f"{'v ' * n}" for n in range(1, 30)), "w " * 39 + "u"],
            "rewards": [9.0] + [0.0] * 30,
        }
        for i in range(3)
    ]
    # Equal pairs of texts are measured once, in whichever prompts they stand.
    result = run_pair(write_jsonl(tmp_path / "c.jsonl", rows), tmp_path / "p.parquet")
    assert result.edit_distances == {"measured": 1, "broken_off": 0, "pairs": 30}
    assert [row["rejected_index"] for row in rows_of(tmp_path / "p.parquet")] == [30] * 3


def test_comparisons_that_cannot_win_are_broken_off(tmp_path: Path) -> None:
    # The same words in another order: by their tokens alone all are as near to the first as its near twin is.
    words = [f"w{i}" for i in range(40)]
    twin = [words[1], words[0], *words[2:]]
    shuffled = [words[i:] + words[:i] for i in range(5, 35)]
    responses = [" ".join(order) for order in (words, twin, *shuffled)]
    row = {"prompt": "p", "responses": responses, "rewards": [1.0] + [0.0] * 31}
    result = run_pair(write_jsonl(tmp_path / "c.jsonl", [row]), tmp_path / "p.parquet")
    assert result.edit_distances == {"measured": 1, "broken_off": 30, "pairs": 31}
    assert rows_of(tmp_path / "p.parquet")[0]["edit_distance"] == 2


def test_a_run_stopped_between_chunks_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "CHUNK_SLOTS", 30)
    data = write_jsonl(tmp_path / "c.jsonl", candidate_rows(40, 9))
    run_pair(data, tmp_path / "whole.parquet")
    real, chunks = pairing.Pairing._chunk, 0

    def stops(*given: Any) -> Any:
        nonlocal chunks
        chunks += 1
        if chunks == 4:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(pairing.Pairing, "_chunk", stops)
    with pytest.raises(KeyboardInterrupt):
        run_pair(data, tmp_path / "p.parquet")
    run_pair(data, tmp_path / "p.parquet")
    assert chunks > 5, "the example has several chunks, and the first three were kept"
    assert (tmp_path / "p.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_which_metrics_are_bounded() -> None:
    def bounded(one: Metric, **given: Any) -> bool:
        return registry.bounded_by_edit(one.name, {one.name: given}, frozenset())

    known = registry.all_metrics()
    assert bounded(known["dcrm"])
    assert bounded(known["dcrm"], distance="embedding"), "what reads no edit distance is known without it"
    assert bounded(known["reward_margin"])
    assert not bounded(known["bees"]), "a value depends on the whole table"
    assert [bounded(one) for one in (rising, bumpy, through_bumpy, infinite)] == [True, False, False, True]
