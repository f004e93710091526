import pytest

from curate.errors import RowError
from curate.readers.parts.response_lists import Columns, parse_candidates

COLUMNS = Columns(("responses",), ("rewards",))
USER = {"role": "user", "content": "q"}


def say(text):
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "responses": ["a", "b"]},
        {"prompt": "q", "responses": '["a", "b"]'},
        {"prompt": "q", "responses": [say("a"), say("b")]},
        {"prompt": [USER], "responses": [[say("a")], [say("b")]]},
        {"prompt": "other", "responses": [[USER, say("a")], [USER, say("b")]]},
        {"responses": [[USER, say("a")], [USER, say("b")]]},
        {"prompt": "\n\nHuman: q\n\nAssistant:", "responses": ["a", "b"]},
    ],
)
def test_responses_in_every_form(row):
    record = parse_candidates(row, COLUMNS)
    assert record.prompt == (USER,) and record.responses == ("a", "b") and record.pair is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "q", "responses": []}, "is empty"),
        ({"prompt": "q", "responses": None}, "no list"),
        ({"prompt": "q", "responses": ["a", None]}, "missing"),
        ({"responses": ["a"]}, "no prompt"),
        ({"prompt": "q", "responses": [USER]}, "does not end"),
        ({"prompt": "q", "responses": [[USER, say("a")], [say("b")]]}, "same context"),
        ({"prompt": "q", "responses": ["a"], "rewards": [1, 2]}, "rewards is not as long"),
        ({"prompt": "q", "responses": ["a"], "rewards": 1}, "rewards is not a list"),
        ({"prompt": "q", "responses": ["a"], "rewards_x": []}, "rewards_x is not as long"),
    ],
)
def test_bad_rows(row, reason):
    with pytest.raises(RowError, match=reason):
        parse_candidates(row, COLUMNS)


def test_measurements():
    row = {
        "prompt": "q",
        "responses": ["a", "b"],
        "rewards": ["1.5", None],
        "policy_logps": [-1.0, -2],
        "ref_logps": None,
        "tokens": [1, 2.0],
        "truncated": [True, None],
        "finish_reasons": ["stop", "length"],
        "rewards_armorm": [{"score": 0.5}, {"score": None}],
    }
    assert parse_candidates(row, COLUMNS).measured == {
        "reward": (1.5, None),
        "policy_logps": (-1.0, -2.0),
        "ref_logps": (None, None),
        "tokens": (1, 2),
        "truncated": (True, None),
        "finish_reason": ("stop", "length"),
        "reward_armorm": (0.5, None),
    }


@pytest.mark.parametrize(
    ("texts", "pair", "places", "after"),
    [
        (["a", "b", "c"], ("c", "a"), (2, 0), ["a", "b", "c"]),
        (["a", "b"], ("z", "a"), (2, 0), ["a", "b", "z"]),
        (["a", "b", "a"], ("a", "a"), (0, 2), ["a", "b", "a"]),
        (["a", "b"], ("a", "a"), (0, 0), ["a", "b"]),
    ],
)
def test_the_pair_is_found_in_the_list(texts, pair, places, after):
    rewards = [float(place) for place in range(len(texts))]
    row = {"prompt": "q", "responses": texts, "rewards": rewards, "chosen": pair[0], "rejected": pair[1]}
    record = parse_candidates(row, COLUMNS)
    assert record.pair == places and list(record.responses) == after
    assert list(record.measured["reward"]) == rewards + [None] * (len(after) - len(texts))
