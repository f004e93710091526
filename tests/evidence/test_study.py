from pathlib import Path
from random import Random

import polars as pl
import pytest

from tests.evidence.cells import BASE, Amounts, Cell, World, plan
from tests.evidence.draws import Draw, biased
from tests.evidence.page import page
from tests.evidence.results import SCHEMA, alone, append, outstanding, read
from tests.evidence.study import malformed, random_pairs, run_cell
from tests.evidence.training import trainer_row

TINY = Amounts(pairs=24, prompts=4, steps=1, batch=4, rates=(1e-3,), tuning=2, judged=3)


def made_up(cell: Cell, gold: float) -> dict[str, object]:
    row = {"pairs": 5, "rate": 1e-3, "seconds": 1.0, "gold": [gold, gold + 0.1, gold - 0.1], "chosen_change": [0.5]}
    return {"key": cell.key, "config": cell.config(TINY), **row, "tokens": 9.0, "log_ratio": 0.1, "malformed": 0.0}


def test_the_untrained_cell_is_judged_by_fresh_prompts(tmp_path: Path) -> None:
    row = run_cell(Cell("selection", "untrained"), TINY, tmp_path / "cache")
    assert (row["pairs"], len(row["gold"]), set(row)) == (0, 3, set(SCHEMA))
    # The model is its own reference; the two passes agree to rounding.
    assert row["log_ratio"] == pytest.approx(0.0, abs=1e-3)
    assert row["chosen_change"] == pytest.approx([0.0] * 3, abs=1e-3)


@pytest.mark.parametrize("prompt", ["text", [{"role": "user", "content": "text"}]])
def test_both_forms_of_pairs_become_the_trainers_rows(prompt: object) -> None:
    asked, sides = {"role": "user", "content": "text"}, [{"role": "assistant", "content": one} for one in "ab"]
    whole = [[asked]] * 2 if isinstance(prompt, str) else [[], []]
    pair = {"prompt": prompt, "chosen": [*whole[0], sides[0]], "rejected": [*whole[1], sides[1]], "margin": 2.0}
    expected = {"prompt": [asked], "chosen": [sides[0]], "rejected": [sides[1]], "margin": 2.0}
    assert trainer_row(pair, ["margin"]) == expected


@pytest.mark.faults
def test_a_cell_is_trained_and_judged_and_kept(tmp_path: Path) -> None:
    cell = Cell("selection", "random", "50%")
    row = run_cell(cell, TINY, tmp_path / "cache")
    assert row["pairs"] == 12
    assert len(row["gold"]) == len(row["chosen_change"]) == 3
    assert set(row) == set(SCHEMA)
    append(row, tmp_path / "results.parquet")
    assert outstanding([cell], TINY, tmp_path / "results.parquet") == []


def test_a_cell_is_never_added_twice(tmp_path: Path) -> None:
    file, cells = tmp_path / "results.parquet", [Cell("loss", "dpo"), Cell("loss", "repo")]
    append(made_up(cells[0], 0.5), file)
    with pytest.raises(ValueError, match="has been run"):
        append(made_up(cells[0], 0.5), file)
    assert outstanding(cells, TINY, file) == [cells[1]]
    assert outstanding(cells, Amounts(), file) == cells
    assert read(file).height == 1


def test_two_runs_do_not_share_a_file(tmp_path: Path) -> None:
    with alone(tmp_path / "results.parquet"), pytest.raises(BlockingIOError), alone(tmp_path / "results.parquet"):
        pass


def test_the_page_says_what_was_run_and_what_was_not() -> None:
    rows = [
        made_up(Cell("selection", method, share, draw=draw), gold)
        for draw in range(5)
        for method, share, gold in (("all", "", 0.5), ("bees", "10%", 0.9), ("random", "10%", 0.6))
    ]
    said = page(pl.DataFrame(rows, schema=SCHEMA), TINY)
    assert f"15 of {len(plan())} cells" in said
    assert "| base | bees | 10% | 5 | 5 | 0.900 | +0.300 (+0.300 to +0.300) |" in said
    assert "| the top 10% beats all | +0.400 (+0.400 to +0.400) | holds |" in said
    assert "| the top 40% beats all | not run | cannot tell |" in said
    assert "- `selection/base/dcrm/10%`: draws 0, 1, 2, 3, 4" in said
    assert "selection/base/bees/10%`" not in said


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_noise_is_the_share_of_labels_against_gold(noise: float, tmp_path: Path) -> None:
    rows = Draw(World(noise=noise), 0, TINY, tmp_path)._pairs(0)
    margins = [row["gold_margin"] for row in rows if row["gold_margin"]]
    assert all((margin < 0) == (noise == 1.0) for margin in margins)
    assert len(margins) > 10


def test_worlds_of_one_draw_have_the_same_prompts(tmp_path: Path) -> None:
    base, noisy = (Draw(world, 3, TINY, tmp_path)._pairs(0) for world in (BASE, World(noise=0.4)))
    assert [row["prompt_id"] for row in base] == [row["prompt_id"] for row in noisy]


def test_a_biased_reward_likes_length_and_drops_old_metrics() -> None:
    columns = {"chosen_reward": 1.0, "rejected_reward": 1.0, "chosen_tokens": 20, "rejected_tokens": 10}
    table = pl.DataFrame([{**columns, "edit_distance": 3, "edit_distance_norm": 0.1, "dcrm": 9.0}])
    worse = biased(table, "length", 0)
    assert worse["chosen_reward"][0] - worse["rejected_reward"][0] == pytest.approx(1.5)
    assert "dcrm" not in worse.columns
    assert biased(table, "good", 0) is table


def test_random_pairs_are_ordered_by_reward_and_never_tied() -> None:
    rng = Random(1)
    rows = [
        {"prompt": [{"role": "user", "content": str(at)}], "responses": list("abcd"), "rewards": rewards}
        for at, rewards in enumerate([[rng.random() for _ in range(4)], [0.5] * 4])
    ]
    pairs = random_pairs(pl.DataFrame(rows), 0)
    assert pairs.height == 1
    worth = dict(zip("abcd", rows[0]["rewards"], strict=True))
    assert worth[pairs["chosen"][0][0]["content"]] > worth[pairs["rejected"][0][0]["content"]]


def test_malformed_answers_have_no_form_or_no_item() -> None:
    assert not malformed("Here are two: apple and cherry.")
    assert malformed("apple and cherry")
    assert malformed("Sorry, I cannot help with that.")
