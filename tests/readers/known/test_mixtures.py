"""Pairs in the columns of mixtures and of feedback data, with neighbours that say something else about them."""

import pytest

from tests.readers.known.tables import ASKED, BAD, GOOD, REFUSED, REJECTED, USER, check, pair, say, talk

Q = {"prompt": ASKED}
ONE, OTHER = say("assistant", GOOD), say("assistant", BAD)
LATER = [("u", ASKED), ("a", "e"), ("u", "more")]
TURNS = [say("user", ASKED), say("assistant", "e"), say("user", "more")]
TABLES = {
    "WildFeedback": (
        [{"prompt": TURNS, "chosen": ONE, "rejected": OTHER, "user_preference": ["short"]}],
        [pair(p=LATER)],
    ),
    "INF-ORM, a magnitude": ([{"chosen": talk(GOOD), "rejected": talk(BAD), "magnitude": 3.0}], [pair()]),
    "RLHFlow": (
        [{"rejected": talk(BAD), "rejected_score": 1.0, "chosen": talk(GOOD), "chosen_score": 3.0}],
        [pair(r=(3.0, 1.0))],
    ),
    "OffsetBias": (
        [{"instruction": ASKED, "output_1": GOOD, "output_2": BAD, "label": label} for label in (1, 2)],
        [pair(), pair(BAD, GOOD)],
    ),
    "Tulu 3": (
        [Q | {"chosen": talk(GOOD), "rejected": talk(BAD), "chosen_rating": 5.0, "rejected_rating": None}],
        [pair(r=(5.0, None))],
    ),
    "UltraFeedback cleaned": (
        [Q | {"chosen": talk(GOOD), "chosen-rating": 4.0, "rejected": talk(BAD), "rejected-rating": 5.0}],
        [pair(r=(4.0, 5.0))],
    ),
    "Capybara, the conversation next to it": (
        [
            {
                "conversation": [{"input": ASKED, "output": "e"}, {"input": "more", "output": None}],
                "original_response": GOOD,
                "new_generations": [BAD],
                "prompt": "more",
                "chosen": [*TURNS, ONE],
                "rejected": [*TURNS, OTHER],
            }
        ],
        [pair(p=LATER)],
    ),
    "truthy": ([Q | {"id": "x", "system": "S.", "chosen": GOOD, "rejected": BAD}], [pair(p=[("s", "S."), *USER])]),
    "UltraInteract, an observation": (
        [
            {
                "trajectory": [
                    {"from": "user", "value": ASKED},
                    {"from": "assistant", "value": "e"},
                    {"from": "user", "value": "Observation: more"},
                ],
                "chosen": GOOD,
                "rejected": BAD,
            }
        ],
        [pair(p=[*LATER[:2], ("u", "Observation: more")])],
    ),
    "a pair of candidates": (
        [Q | {"chosen": GOOD, "rejected": BAD, "responses": [BAD, GOOD, "c"], "rewards": [1, 3, 2]}],
        [pair(r=(3.0, 1.0))],
    ),
    "letters that name columns": (
        [Q | {"chosen": "B", "rejected": "A", "response_a": BAD, "response_b": GOOD}],
        [pair()],
    ),
    "reasoning apart from the answer": (
        [
            Q | {"chosen": [ONE | {"reasoning_content": "hm"}], "rejected": [OTHER]},
            Q | {"chosen": [ONE], "rejected": [OTHER]},
        ],
        [REJECTED, pair()],
    ),
    "arena, turns that differ": (
        [Q | {"prompt": '["q", "more"]', "response_a": '["e", "x"]', "response_b": '["f", "y"]', "winner": "a"}],
        [REJECTED],
    ),
    "an open template of OASST": (
        [Q | {"prompt": "<|prompter|>q<|endoftext|><|assistant|>", "chosen": "a", "rejected": "b"}],
        [REJECTED],
    ),
    "0 or 1 on two numbered responses": (
        [{"instruction": ASKED, "response_1": GOOD, "response_2": BAD, "preference": each} for each in (0, 1, 0)],
        REFUSED,
    ),
    "scores of correctness alone": (
        [Q | {"response_1": GOOD, "response_2": BAD, "score_1": True, "score_2": False}],
        REFUSED,
    ),
    "HelpSteer3's feedback": ([{"context": [say("user", ASKED)], "response": GOOD, "feedback": ["a", "b"]}], REFUSED),
    "a log of chats": ([{"conversation": talk(GOOD), "turn": 1}], REFUSED),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_read(name):
    check(*TABLES[name])
