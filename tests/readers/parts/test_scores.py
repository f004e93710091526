import math
from decimal import Decimal

import pytest

from curate.readers.parts.scores import number, pair_measured, reward_columns, value_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        ("2.5", 2.5),
        (" 3 ", 3.0),
        (Decimal("0.5"), 0.5),
        ({"rm": 4.0}, 4.0),
        ({"rm": None, "other": 5}, 5.0),
        ({"a": 1.0, "b": 2.0}, None),
        ({}, None),
        ({"a": {"b": 1.0}}, None),
        (None, None),
        (math.nan, None),
        (math.inf, None),
        ("N/A", None),
        ("nan", None),
        (True, None),
        ([1], None),
        (10**400, None),
    ],
)
def test_number(value, expected):
    assert number(value) == expected


def test_values_of_other_types():
    assert value_of("i32", 3.0) == 3 and value_of("i32", 3.5) is None and value_of("i32", 2**40) is None
    assert value_of("bool", True) is True and value_of("bool", 1) is None
    assert value_of("string", "stop") == "stop" and value_of("string", 1) is None


@pytest.mark.parametrize(
    "names",
    [
        ("chosen_reward", "rejected_reward"),
        ("chosen_reward", "reject_reward"),
        ("reward_chosen", "reward_rejected"),
        ("score_chosen", "score_rejected"),
        ("chosen_score", "rejected_score"),
        ("chosen_rating", "rejected_rating"),
        ("chosen-rating", "rejected-rating"),
        ("rating_chosen", "rating_rejected"),
        ("scores_chosen", "scores_rejected"),
        ("chosen_rm_score", "rejected_rm_score"),
    ],
)
def test_reward_aliases(names):
    row = {names[0]: "2", names[1]: {"rm": 1.0}}
    assert pair_measured(row, ("a", "b")) == {"reward": (2.0, 1.0)}
    assert reward_columns([row]) == names


def test_the_first_alias_wins_and_null_does_not_switch_the_scale():
    row = {"chosen_reward": None, "rejected_reward": None, "score_chosen": 9.0, "score_rejected": 1.0}
    assert pair_measured(row, ("a", "b"))["reward"] == (None, None)
    assert reward_columns([row]) is None
    full = row | {"chosen_reward": 1.0}
    assert reward_columns([row, full]) == ("chosen_reward", "rejected_reward")
    assert reward_columns([{"chosen_reward": 1.0}]) is None


def test_the_tools_own_columns():
    row = {
        "policy_chosen_logps": -1.5,
        "policy_rejected_logps": None,
        "chosen_tokens": 3,
        "rejected_tokens": 4,
        "chosen_truncated": False,
        "rejected_truncated": True,
        "chosen_reward_armo": 0.1,
        "rejected_reward_armo": 0.2,
        "chosen_reward_lone": 1.0,
    }
    assert pair_measured(row, ("a", "b")) == {
        "policy_logps": (-1.5, None),
        "tokens": (3, 4),
        "truncated": (False, True),
        "reward_armo": (0.1, 0.2),
    }


def test_rewards_are_looked_up_among_all_responses():
    row = {"all_generated_responses": ["b", "a"], "all_rm_scores": [0.1, 0.9]}
    assert pair_measured(row, ("a", "z")) == {"reward": (0.9, None)}
    assert pair_measured(row | {"all_rm_scores": [1.0]}, ("a", "z")) == {}
    assert pair_measured({"generations": '["b", "a"]', "rating": [1, 5]}, ("a", "b")) == {"reward": (5.0, 1.0)}
