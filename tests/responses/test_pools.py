"""What a response is worth that is in several rows, and what the new pairs are compared with."""

import numpy as np
import pytest

from curate.pairs.search import draws
from curate.responses.pools import may_be_chosen, merged
from tests.commands.helpers import Notes, read_manifest, rows_of, run_pair, write_jsonl


def test_the_rewards_of_one_response_are_averaged_and_other_numbers_are_the_first() -> None:
    # slots 0, 2, 4 are one response, 1 and 3 another
    names = np.array([0, 1, 0, 1, 0])
    numbers = {
        "reward": np.array([1.0, 5.0, 2.0, 5.0, 6.0]),
        "reward_a": np.array([np.nan, 1.0, 3.0, np.nan, 5.0]),
        "policy_logps": np.array([np.nan, -1.0, -2.0, -3.0, -4.0]),
    }
    found, conflicts = merged(numbers, names)
    # (1 + 2 + 6) / 3; (3 + 5) / 2; of the log-probabilities the first that is known
    assert found["reward"].tolist() == [3.0, 5.0, 3.0, 5.0, 3.0]
    assert found["reward_a"].tolist() == [4.0, 1.0, 4.0, 1.0, 4.0]
    assert found["policy_logps"].tolist() == [-2.0, -1.0, -2.0, -1.0, -2.0]
    assert conflicts == 1, "one response has several rewards"


def test_equal_rewards_stay_what_they_are_to_the_last_bit() -> None:
    value = 0.1 + 0.2
    found, conflicts = merged({"reward": np.full(3, value)}, np.zeros(3, np.int64))
    assert found["reward"].tolist() == [value] * 3
    assert conflicts == 0


def test_a_response_rated_differently_in_several_rows_takes_part_with_its_mean(tmp_path) -> None:
    rows = [
        {"prompt": "p", "chosen": "a b", "rejected": "c", "score_chosen": 9.0, "score_rejected": 0.0},
        {"prompt": "p", "chosen": "a b", "rejected": "d e f", "score_chosen": 1.0, "score_rejected": 6.0},
    ]
    notes = Notes()
    run_pair(write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "p.parquet", notes, strategy="max-min")
    (row,) = rows_of(tmp_path / "p.parquet")
    # "a b" has (9 + 1) / 2 = 5, less than the 6 of "d e f"
    assert (row["chosen"][0]["content"], row["chosen_reward"], row["reward_margin"]) == ("d e f", 6.0, 6.0)
    assert notes.about("several different rewards").startswith("1 responses")


def test_new_pairs_of_old_pairs_are_compared_with_the_datas_own(tmp_path) -> None:
    rows = [
        {"prompt": "p", "chosen": "a b", "rejected": "a", "score_chosen": 4.0, "score_rejected": 3.0},
        {"prompt": "p", "chosen": "c", "rejected": "d", "score_chosen": 9.0, "score_rejected": 8.0},
        {"prompt": "q", "chosen": "x", "rejected": "y", "score_chosen": 1.0, "score_rejected": 5.0},
    ]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    result = run_pair(data, tmp_path / "p.parquet", strategy="max-min")
    # The data's own margins are 1, 1 and -4; of p the best over the worst is 9 - 3, of q 5 - 1.
    assert result.old == "given"
    assert result.compared["reward_margin"] == (pytest.approx(-2 / 3), 5.0)
    # edits over the longer text: 1 of 2, 1 of 1, 1 of 1; new: "c" for "a", "y" for "x"
    assert result.compared["edit_distance_norm"] == (pytest.approx(2.5 / 3), 1.0)


def test_pairs_of_candidates_are_compared_with_max_min(tmp_path) -> None:
    rows = [{"prompt": "p", "responses": ["a b", "a c", "d"], "rewards": [2.0, 1.5, 0.0]}]
    result = run_pair(write_jsonl(tmp_path / "c.jsonl", rows), tmp_path / "p.parquet", by="length_ratio")
    assert (result.old, result.compared["reward_margin"]) == ("max-min", (2.0, 2.0))
    result = run_pair(tmp_path / "c.jsonl", tmp_path / "q.parquet", set_=["dcrm.distance=edit", "dcrm.eps=0.001"])
    # (0, 1) differ in 1 of 2 words: (sigma(1/2) - 1/2) / 0.501 = 0.244; (0, 2): (sigma(2) - 1/2) / 1.001 = 0.380
    assert result.compared["reward_margin"] == (2.0, 2.0)
    result = run_pair(tmp_path / "c.jsonl", tmp_path / "r.parquet", set_=["dcrm.scale=0.01"])
    # by counts, where every margin is beyond the scale: the pair that differs in one word, (0, 1), wins
    assert result.compared["reward_margin"] == (2.0, 0.5)
    assert read_manifest(tmp_path / "r.parquet")["rows"]["written"] == 1


def test_what_a_length_limit_cut_is_never_chosen_unless_that_is_allowed() -> None:
    class Cut:
        names, cut = np.arange(4), np.array([False, True, False, False])

    numbers = {"truncated": np.array([0.0, 0.0, 1.0, np.nan])}
    assert may_be_chosen(Cut, numbers, False).tolist() == [True, False, False, True]  # type: ignore[arg-type]
    assert may_be_chosen(Cut, {}, False).tolist() == [True, False, True, True]  # type: ignore[arg-type]
    assert may_be_chosen(Cut, numbers, True).tolist() == [True] * 4  # type: ignore[arg-type]


def test_draws_are_of_seed_prompt_text_and_how_often_it_came() -> None:
    found = draws(0, "p", ["a", "b", "a"]).tolist()
    assert len(set(found)) == 3
    assert draws(0, "p", ["a", "a", "b"]).tolist() == [found[0], found[2], found[1]]
    assert not set(found) & {*draws(1, "p", ["a", "b", "a"]).tolist(), *draws(0, "q", ["a", "b", "a"]).tolist()}


def test_among_pairs_of_equal_value_the_larger_margin_is_picked_also_by_metrics_of_the_whole_table(tmp_path) -> None:
    rows = [{"prompt": "p", "responses": ["a", "b", "c"], "rewards": [0.0, 1.0, 3.0]}]
    run_pair(write_jsonl(tmp_path / "c.jsonl", rows), tmp_path / "p.parquet", by="rip")
    # rip of (1, 0), (2, 0), (2, 1): medians r- 0, n- 1, margin 2 of 1, 3, 2: 1, 0, 1; (2, 1) has the larger margin
    (row,) = rows_of(tmp_path / "p.parquet")
    assert (row["chosen_index"], row["rejected_index"], row["rip"]) == (2, 1, 1.0)


def test_a_pair_of_equal_texts_in_the_data_has_no_distance(tmp_path) -> None:
    same = {"prompt": "p", "chosen": "a b", "rejected": "a b", "score_chosen": 1.0, "score_rejected": 1.0}
    other = {"prompt": "p", "chosen": "a b", "rejected": "c", "score_chosen": 1.0, "score_rejected": 0.0}
    result = run_pair(write_jsonl(tmp_path / "d.jsonl", [same, other]), tmp_path / "p.parquet", embedder="fake:4")
    for name in ("embedding_distance", "edit_distance_norm"):
        old, new = result.compared[name]
        assert new is not None and new > 0
        assert old == pytest.approx(new / 2), name
