import json

import pytest

from curate.errors import InputError, RowError
from curate.readers import detect

USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "m"}


def say(text):
    return {"role": "assistant", "content": text}


def ab(**more):
    return {"prompt": "q", "response_a": "good", "response_b": "bad"} | more


@pytest.mark.parametrize(
    "verdict",
    [
        {"winner": "model_a"},
        {"winner": "A"},
        {"winner": "response_a"},
        {"winner": "[[A]]"},
        {"winner": "gpt", "model_a": "gpt", "model_b": "llama"},
        {"preference": "a"},
        {"preferred": "first"},
        {"verdict": "A>>B"},
        {"chosen": "good"},
        {"chosen": "response_a", "rejected": "response_b"},
        {"chosen": "A", "rejected": "B"},
        {"winner_model_a": 1, "winner_model_b": 0, "winner_tie": 0},
        {"winner_a": True, "winner_b": False},
        {"score_a": 2, "score_b": "1.5"},
        {"rank_a": 1, "rank_b": 2},
    ],
)
def test_verdicts(layouts, verdict):
    row = ab(**verdict)
    assert detect([row]) == layouts["choice"]
    record = layouts["choice"].parse(row)
    assert record.prompt == (USER,) and record.responses == ("good", "bad") and record.pair == (0, 1)


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        (("response_1", "response_2"), {"preference_strength": 3}),
        (("response1", "response2"), {"overall_preference": 1}),
        (("output_1", "output_2"), {"preference": 2}),
        (("answer_0", "answer_1"), {"better_response_id": 1}),
        (("answer_0", "answer_1"), {"score_0": -0.5, "score_1": 0.5}),
        (("human_ref_A", "human_ref_B"), {"labels": 0, "score_A": 1, "score_B": 7}),
        (("Response A", "Response B"), {"Winner": "Response B"}),
        (("completion_a", "completion_b"), {"label": "b"}),
        (("conversation_a", "conversation_b"), {"winner": "model_b"}),
    ],
)
def test_the_second_response_may_be_the_better_one(columns, verdict):
    row = {"prompt": "q", columns[0]: "bad", columns[1]: "good", **verdict}
    assert detect([row]).name == "choice"
    assert detect([row]).parse(row).responses == ("good", "bad")


@pytest.mark.parametrize(
    "verdict",
    [
        {"winner": "tie"},
        {"winner": "tie (bothbad)"},
        {"winner": "both_bad"},
        {"winner_model_a": 0, "winner_model_b": 0, "winner_tie": 1},
        {"score_a": 2, "score_b": 2},
    ],
)
def test_ties_are_never_made_pairs(layouts, verdict):
    row = ab(**verdict)
    assert detect([row]) == layouts["choice"]
    with pytest.raises(RowError, match="neither response is better"):
        layouts["choice"].parse(row)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ab(winner="model_c"), "model_c"),
        (ab(winner=None), "winner is null"),
        (ab(winner=True), "truth value"),
        (ab(winner="a", response_a=None), "response_a is missing"),
        (ab(winner="a", tools="look it up"), "tools"),
        (ab(winner=1), "told apart by letters"),
        (ab(winner="gpt", model_a="gpt", model_b="gpt"), "names none"),
    ],
)
def test_bad_rows(layouts, row, reason):
    with pytest.raises(RowError, match=reason):
        layouts["choice"].parse(row)


def test_scores_are_kept(layouts):
    assert layouts["choice"].parse(ab(winner="b", score_a=1, score_b=4)).measured == {"reward": (4.0, 1.0)}
    assert layouts["choice"].parse(ab(rank_a=2, rank_b=1)).measured == {"reward": (-1.0, -2.0)}
    assert layouts["choice"].parse(ab(winner="b")).measured == {}


def test_scores_do_not_outvote_a_verdict_where_candidates_are_preferred(layouts):
    assert detect([ab(winner="tie", score_a=2, score_b=1)], "candidates") == layouts["choice"]


def test_the_models_are_kept(layouts):
    record = layouts["choice"].parse(ab(winner="llama", model_a="gpt", model_b="llama"))
    assert record.responses == ("bad", "good") and record.measured == {"model": ("llama", "gpt")}


def test_conversations_with_parts_and_the_turn_that_was_judged(layouts):
    def talk(*texts):
        parts = [[{"type": "text", "text": text, "image": None}] for text in texts]
        return [{"role": ("user", "assistant")[place % 2], "content": part} for place, part in enumerate(parts)]

    row = {"conversation_a": talk("q", "bad"), "conversation_b": talk("q", "good"), "winner": "model_b"}
    record = layouts["choice"].parse(row)
    assert record.prompt == (USER,) and record.responses == ("good", "bad")
    longer = {"conversation_a": talk("q", "bad", "r", "x"), "conversation_b": talk("q", "good", "r", "y"), "turn": 1}
    assert layouts["choice"].parse(row | longer).responses == ("good", "bad")
    with pytest.raises(RowError, match="same context"):
        layouts["choice"].parse(row | longer | {"turn": 2})


@pytest.mark.parametrize("written", [json.dumps, list])
def test_turns_in_lists(layouts, written):
    row = {
        "prompt": written(["q", "q"]),
        "response_a": written(["m", "bad"]),
        "response_b": written(["m", "good"]),
        "winner_model_a": 0,
        "winner_model_b": 1,
    }
    record = layouts["choice"].parse(row)
    assert record.prompt == (USER, ANSWER, USER) and record.responses == ("good", "bad")
    for bad, reason in ((["m"], "another number of turns"), (["m", None], "a turn is null")):
        with pytest.raises(RowError, match=reason):
            layouts["choice"].parse(row | {"response_a": written(bad)})


def test_broken_json_of_turns_is_not_taken_for_text(layouts):
    row = ab(prompt='["q"]', response_a='["good', response_b='["bad"]', winner="a")
    with pytest.raises(RowError, match="not valid JSON"):
        layouts["choice"].parse(row)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "no column that says which is better"),
        ({"winner": "yes"}, "does not say which is better"),
        ({"label": 1}, "does not say which is better"),
    ],
)
def test_without_a_verdict_it_is_refused_and_no_renaming_advised(more, told):
    with pytest.raises(InputError, match=told) as caught:
        detect([ab(**more)])
    assert "ename" not in caught.value.hint and "response_a" in caught.value.where


def test_numbers_that_count_from_elsewhere_are_refused():
    rows = [{"prompt": "q", "response_1": "x", "response_2": "y", "choice": choice} for choice in (1, 0)]
    with pytest.raises(InputError, match="does not say which is better"):
        detect(rows)


def test_a_pair_of_texts_next_to_other_responses_is_read_as_it_stands():
    row = ab(chosen="quite another one", rejected="a bad one", winner="b")
    assert detect([row]).name == "explicit" and detect([row]).parse(row).responses == (row["chosen"], row["rejected"])
    with pytest.raises(RowError, match="name none of the responses"):
        detect([row]).parse(row | {"chosen": "gpt-4", "rejected": "llama"})
