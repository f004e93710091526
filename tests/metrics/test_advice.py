import math

import numpy as np
import polars as pl
import pytest

from curate.metrics.advice import (
    belief_note,
    cut_note,
    group_cuts_note,
    labels_note,
    narrow_note,
    scales_note,
    shares_explained,
)
from tests.commands.helpers import (
    MODELS,
    Notes,
    candidate_rows,
    pair_rows,
    read_manifest,
    run_pair,
    run_score,
    run_select,
    write_jsonl,
)

NAN = float("nan")


def test_two_independent_sources_of_which_one_is_five_times_as_wide():
    # a: -1, 1, -1, 1 and b: 5, 5, -5, -5 do not correlate; of their mean the correlation with b is 5 / sqrt(26).
    a, b = np.array([-1.0, 1, -1, 1]), np.array([5.0, 5, -5, -5])
    said = scales_note({"a": a, "b": b}, (a + b) / 2)
    assert said is not None
    assert f"follows b almost alone (correlation {5 / math.sqrt(26):.3f}, with a {1 / math.sqrt(26):.2f})" in said
    assert "a 1, b 5" in said
    # At 4 to 1 it is 4 / sqrt(17) = 0.970, below the bound.
    assert scales_note({"a": a, "b": 0.8 * b}, (a + 0.8 * b) / 2) is None


def test_no_word_of_scales_where_sources_agree_or_are_scaled_or_stand_alone():
    a, b = np.array([-1.0, 1, -1, 1]), np.array([5.0, 5, -5, -5])
    assert scales_note({"a": a, "b": 100 * a}, 50.5 * a) is None
    assert scales_note({"a": a, "b": b}, (a + b / 5) / 2) is None
    assert scales_note({"b": b}, b) is None
    assert scales_note({"a": a, "c": np.zeros(4)}, a / 2) is None
    assert scales_note({"a": a, "b": np.full(4, NAN)}, np.full(4, NAN)) is None


def test_rows_without_a_combined_reward_do_not_count():
    a, b = np.array([-1.0, 1, -1, 1, 1e9]), np.array([5.0, 5, -5, -5, NAN])
    assert "a 1, b 5" in str(scales_note({"a": a, "b": b}, (a + b) / 2))


def test_a_cut_among_equal_values():
    values = np.array([3.0, 2, 2, 2, 1, NAN])
    alive = np.array([True, True, True, False, True, True])
    kept = np.array([True, True, False, False, False, False])
    said = cut_note("m", values, alive, kept, "pair_id")
    assert said == "the cut falls among 2 rows of equal m (2): 1 of them was kept, in the order of their pair_id."
    assert cut_note("m", values, alive, alive & (values >= 2), "pair_id") is None
    assert cut_note("m", values, alive, np.zeros(6, bool), "pair_id") is None
    # At the middle either end may fall among equals.
    assert "(1)" in str(cut_note("m", np.array([1.0, 1, 2, 3]), np.ones(4, bool), np.array([0, 1, 1, 0], bool), "x"))


def test_cuts_within_groups():
    frame = pl.DataFrame({"row": [0, 1, 2, 3, 4], "value": [1.0, 1, 1, 2, None], "group": ["a", "a", "b", "b", "b"]})
    kept = np.array([True, False, False, True, False])
    assert "in 1 of 2 groups" in str(group_cuts_note("m", frame, kept, "pair_id"))
    assert group_cuts_note("m", frame, np.array([True, True, False, True, False]), "pair_id") is None


def test_labels_and_beliefs():
    assert labels_note(5, 10) is None
    assert "6 of the 10 rows" in str(labels_note(6, 10))
    assert labels_note(0, 0) is None
    values = np.array([0.9, 0.5, 0.4])
    assert "1 of 3 rows kept have bees below 0.5" in str(belief_note("bees", values))
    assert belief_note("bees", values[:2]) is None
    assert belief_note("dcrm", values) is None


def test_what_explains_a_choice_by_dcrm():
    # dcrm = (sigma(m) - 0.5) / D. Of the two rows kept, row 0 has the largest margin, row 1 the smallest distance.
    margins = np.array([1.0, 0.2, 0.9, -0.5, NAN])
    distances = np.array([2.0, 0.5, 10.0, 0.1, 1.0])
    dcrm = 0.5 * np.tanh(margins / 2) / distances
    kept = np.array([True, True, False, False, False])
    # by margin alone: rows 0 and 2; by distance alone among positive margins: rows 1 and 0
    said = shares_explained(margins, dcrm, kept, 1.0, "the rows kept")
    assert said == "Of the rows kept, 50% would also be chosen by the margin alone, 100% by the distance alone."


def test_only_margins_within_the_scale_are_narrow():
    margins = np.array([-0.2, 0.0, 0.2, 0.4, NAN])
    said = narrow_note(margins, 1.0, "So.")
    # mean of the sizes 0.2, the deviations 0, 0.2, 0, 0.2: their root mean square is 0.14, to one digit 0.1
    assert said is not None and "--set dcrm.scale=0.1 " in said and " So. " in said
    assert narrow_note(margins, 0.3, "So.") is None
    assert narrow_note(np.zeros(3), 1.0, "So.") is None
    assert narrow_note(np.full(3, NAN), 1.0, "So.") is None


# ---- what the commands say


@pytest.fixture
def scored(tmp_path):
    rows = pair_rows(40)
    for i, row in enumerate(rows):
        row["score_chosen"], row["score_rejected"] = (0.1 + i / 100, 0.1) if i < 25 else (0.1, 0.1 + i / 100)
    run_score(write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "s.parquet", notes := Notes(), **MODELS)
    assert "Of its top 10%" in notes.about("dcrm:")
    return tmp_path / "s.parquet"


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"by": "rm_agrees", "top": "10%"}, "the cut falls among 24 rows of equal rm_agrees (1): 4 of them"),
        ({"by": "rm_agrees", "top": "1", "per": "source"}, "the cut falls among rows of equal rm_agrees in 3 of 3"),
        ({"by": "reward_margin", "bottom": "15"}, "prefers the rejected response in 15 of the 15 rows"),
        ({"by": "bees", "top": "100%"}, "have bees below 0.5"),
        ({"by": "dcrm", "top": "10%"}, "Of the rows kept, "),
    ],
)
def test_select_says_what_could_mislead_and_keeps_it_in_the_manifest(scored, tmp_path, settings, word):
    notes = Notes()
    run_select(scored, tmp_path / "o.parquet", notes, **settings)
    assert [note for note in notes.said if word in note], notes.said
    assert read_manifest(tmp_path / "o.parquet")["notes"] == notes.said


def test_select_says_nothing_where_nothing_misleads(scored, tmp_path):
    notes = Notes()
    run_select(scored, tmp_path / "o.parquet", notes, by="reward_margin", top="10%")
    assert not notes.said


def test_select_by_a_metric_of_two_equal_models(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(20))
    run_score(data, tmp_path / "s.parquet", policy="fake:1", reference="fake:1")
    for by, said in (("bees", True), ("dpo_margin", True), ("simpo_margin", False), ("reward_margin", False)):
        notes = Notes()
        run_select(tmp_path / "s.parquet", tmp_path / "o.parquet", notes, by=by, top="10%")
        assert bool(notes.about("same model")) == said, by


def test_dcrm_s_scale_is_the_one_that_the_column_was_made_with(scored, tmp_path):
    run_score(tmp_path / "d.jsonl", tmp_path / "wide.parquet", set_=["dcrm.scale=0.01"], **MODELS)
    notes = Notes()
    run_select(tmp_path / "wide.parquet", tmp_path / "o.parquet", notes, by="dcrm", top="10%")
    assert not notes.about("dcrm:")


def test_pair_says_how_many_pairs_are_max_min(tmp_path):
    rows = candidate_rows(12)
    for row in rows:
        row["rewards"] = [None if reward is None else reward / 10 for reward in row["rewards"]]
    data, notes = write_jsonl(tmp_path / "c.jsonl", rows), Notes()
    run_pair(data, tmp_path / "p.parquet", notes)
    assert "are also their prompt's max-min pair." in notes.about("dcrm:")
    notes = Notes()
    run_pair(data, tmp_path / "q.parquet", notes, set_=["dcrm.scale=0.01"])
    assert not notes.about("dcrm:")
