"""`pair --add-flags` and `--drop-flags`: what takes no part, what is left out, what is marked."""

import pytest

import curate
from curate.errors import SettingsError
from tests.commands.helpers import Notes, read_manifest, rows_of, run_pair, write_jsonl

SUN = "The sun rises in the east and sets in the west, as everybody knows"
REFUSES = "I'm sorry, I can't help."


def row(prompt, **rewards):
    return {"prompt": prompt, "responses": list(rewards), "rewards": list(rewards.values())}


ROWS = [
    row("Why?", **{REFUSES: 9.0, "Because of the tide.": 2.0, "It is so.": 1.0}),
    row("Where?", **{f"{SUN}.": 5.0, "There.": 1.0}),
    row("When?", **{f"{SUN} well.": 3.0, "As an AI language model, no.": 2.0, "Then.": 1.0}),
    row("Who?", **{"He.": 1.0, "I am ChatGPT.": 0.0}),
]


@pytest.fixture
def data(tmp_path):
    return write_jsonl(tmp_path / "d.jsonl", ROWS)


def pairs_of(path):
    return {
        one["prompt"][0]["content"]: (one["chosen"][0]["content"], one["rejected"][0]["content"])
        for one in rows_of(path)
    }


def test_a_response_with_a_dropped_flag_makes_room_for_the_next_best_pair(tmp_path, data):
    run_pair(data, tmp_path / "all.parquet", strategy="max-min")
    assert pairs_of(tmp_path / "all.parquet")["Why?"] == (REFUSES, "It is so.")
    result = run_pair(data, tmp_path / "o.parquet", strategy="max-min", drop_flags="refusal,self_identification")
    assert pairs_of(tmp_path / "o.parquet") == {
        "Why?": ("Because of the tide.", "It is so."),
        "Where?": (f"{SUN}.", "There."),
        "When?": (f"{SUN} well.", "Then."),
    }
    assert result.dropped == {"refusal": 2, "self_identification": 1}
    assert result.without == 1
    assert [one["chosen_index"] for one in rows_of(tmp_path / "o.parquet")] == [1, 0, 0]


@pytest.mark.parametrize("strategy", ["best-of-n2", "max-min", "max-random", "rs-dpo", "sweet-spot"])
def test_no_strategy_pairs_a_dropped_response(tmp_path, data, strategy):
    run_pair(data, tmp_path / "o.parquet", strategy=strategy, drop_flags="refusal")
    found = rows_of(tmp_path / "o.parquet")
    assert found and not any("refusal" in one["flags"] for one in found)


def test_a_pair_with_a_dropped_flag_is_left_out(tmp_path, data):
    """The flag is looked for without being asked for; the first of the near ones stays."""
    result = run_pair(data, tmp_path / "o.parquet", strategy="max-min", drop_flags="near_duplicate_response")
    assert "When?" not in pairs_of(tmp_path / "o.parquet") and "Where?" in pairs_of(tmp_path / "o.parquet")
    assert result.dropped == {"near_duplicate_response": 1}
    manifest = read_manifest(tmp_path / "o.parquet")
    assert manifest["dropped"] == {"near_duplicate_response": 1}
    assert manifest["rows"]["written"] == len(rows_of(tmp_path / "o.parquet")) == 3


def test_pairs_are_marked_as_score_marks_them(tmp_path, data):
    asked = {"add_flags": "near_duplicate_response,self_identification"}
    evaluation, notes = write_jsonl(tmp_path / "eval.jsonl", [{"prompt": "Where?"}]), Notes()
    run_pair(data, tmp_path / "o.parquet", notes, strategy="max-min", decontaminate=evaluation, **asked)
    marked = [one["flags"] for one in rows_of(tmp_path / "o.parquet")]
    assert marked == [["refusal"], ["leaked"], ["near_duplicate_response"], ["self_identification"]]
    assert "1 row with a prompt of" in notes.about("leaked")
    run_pair(data, tmp_path / "plain.parquet", strategy="max-min")
    curate.score(tmp_path / "plain.parquet", tmp_path / "scored.parquet", decontaminate=evaluation, **asked)
    assert [one["flags"] for one in rows_of(tmp_path / "scored.parquet")] == marked


def test_pairs_that_are_pooled_again_are_dropped_alike(tmp_path):
    pair = {"prompt": "Why?", "chosen": "It is.", "rejected": REFUSES, "score_chosen": 2.0, "score_rejected": 3.0}
    data = write_jsonl(tmp_path / "d.jsonl", [pair, pair | {"rejected": "No.", "score_rejected": 1.0}])
    run_pair(data, tmp_path / "o.parquet", drop_flags="refusal")
    assert pairs_of(tmp_path / "o.parquet") == {"Why?": ("It is.", "No.")}


def test_dropping_everything_is_an_error(tmp_path, data):
    with pytest.raises(SettingsError, match="No prompt yields a pair"):
        run_pair(write_jsonl(tmp_path / "e.jsonl", ROWS[-1:]), tmp_path / "o.parquet", drop_flags="self_identification")
    assert not (tmp_path / "o.parquet").exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"drop_flags": "refusals"}, "Did you mean refusal"),
        ({"drop_flags": "leaked"}, "decontaminate="),
        ({"add_flags": "near_dup"}, "Did you mean near_duplicate"),
    ],
)
def test_flags_that_nothing_finds_are_refused(tmp_path, data, more, told):
    with pytest.raises(SettingsError, match=told):
        run_pair(data, tmp_path / "o.parquet", **more)


def test_a_changed_flag_makes_other_pairs(tmp_path, data):
    run_pair(data, tmp_path / "one.parquet", drop_flags="refusal")
    run_pair(data, tmp_path / "two.parquet", drop_flags="refusal")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
