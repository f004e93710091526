"""A chosen and a rejected response, as published data sets and trainers arrange them."""

import pytest

from tests.readers.known.tables import ASKED, BAD, GOOD, REFUSED, REJECTED, USER, check, pair, say, talk

TABLES = {
    "response_chosen (shibing)": (
        [{"system": "", "history": [], "question": ASKED, "response_chosen": GOOD, "response_rejected": BAD}],
        [pair()],
    ),
    "chosen_response": (
        [
            {
                "prompt": ASKED,
                "chosen_response": GOOD,
                "rejected_response": BAD,
                "chosen_reward": 1.0,
                "rejected_reward": 0.5,
            }
        ],
        [pair(r=(1.0, 0.5))],
    ),
    "preferred/dispreferred": ([{"prompt": ASKED, "preferred": GOOD, "dispreferred": BAD}], [pair()]),
    "completion_chosen": ([{"prompt": ASKED, "chosen_completion": GOOD, "rejected_completion": BAD}], [pair()]),
    "chosen_answer": ([{"question": ASKED, "chosen_answer": GOOD, "rejected_answer": BAD}], [pair()]),
    "reject + reject_reward": (
        [{"prompt": ASKED, "chosen": GOOD, "reject": BAD, "chosen_reward": 4.0, "reject_reward": 1.5}],
        [pair(r=(4.0, 1.5))],
    ),
    "capital Prompt Chosen": ([{"Prompt": ASKED, "Chosen": GOOD, "Rejected": BAD}], [pair()]),
    "UPPER": (
        [{"PROMPT": ASKED, "CHOSEN": GOOD, "REJECTED": BAD, "CHOSEN_SCORE": 2, "REJECTED_SCORE": 1}],
        [pair(r=(2.0, 1.0))],
    ),
    "openai": (
        [
            {
                "input": {
                    "messages": [say("system", "Be nice."), say("user", ASKED)],
                    "tools": [],
                    "parallel_tool_calls": True,
                },
                "preferred_output": [say("assistant", GOOD)],
                "non_preferred_output": [say("assistant", BAD)],
            }
        ],
        [pair(p=[("s", "Be nice."), ("u", ASKED)])],
    ),
    "openai tools": (
        [
            {
                "input": {"messages": [say("user", ASKED)], "tools": [{"type": "function", "function": {"name": "f"}}]},
                "preferred_output": [say("assistant", GOOD)],
                "non_preferred_output": [say("assistant", BAD)],
            }
        ],
        [REJECTED],
    ),
    "ms-swift": (
        [{"messages": [say("system", "S."), say("user", ASKED), say("assistant", GOOD)], "rejected_response": BAD}],
        [pair(p=[("s", "S."), ("u", ASKED)])],
    ),
    "ms-swift rejected_messages": ([{"messages": talk(GOOD), "rejected_messages": talk(BAD)}], [pair()]),
    "axolotl rejected msg": (
        [{"messages": [say("user", ASKED)], "chosen": say("assistant", GOOD), "rejected": say("assistant", BAD)}],
        [pair()],
    ),
    "axolotl conversation": (
        [
            {
                "conversation": [{"from": "human", "value": ASKED}],
                "chosen": {"from": "gpt", "value": GOOD},
                "rejected": {"from": "gpt", "value": BAD},
            }
        ],
        [pair()],
    ),
    "orpo multi": (
        [
            {
                "messages": [say("user", ASKED), say("assistant", "a1"), say("user", "more?")],
                "chosen": say("assistant", GOOD),
                "rejected": say("assistant", BAD),
            }
        ],
        [pair(p=[*USER, ("a", "a1"), ("u", "more?")])],
    ),
    "capybara prompt excerpt": (
        [
            {
                "prompt": "more?",
                "chosen": [*talk("a1"), say("user", "more?"), say("assistant", GOOD)],
                "rejected": [*talk("a1"), say("user", "more?"), say("assistant", BAD)],
                "rating_chosen": 5,
                "rating_rejected": 3,
            }
        ],
        [pair(p=[*USER, ("a", "a1"), ("u", "more?")], r=(5.0, 3.0))],
    ),
    "contexts differ": (
        [
            {"chosen": [say("user", "other"), say("assistant", GOOD)], "rejected": talk(BAD)},
            {"chosen": talk(GOOD), "rejected": talk(BAD)},
        ],
        [REJECTED, pair()],
    ),
    "none content": (
        [
            {"chosen": [say("user", ASKED), say("assistant", None)], "rejected": talk(BAD)},
            {"chosen": talk(GOOD), "rejected": talk(BAD)},
        ],
        [REJECTED, pair()],
    ),
    "empty answer": (
        [{"chosen": talk(""), "rejected": talk(BAD)}, {"chosen": talk(GOOD), "rejected": talk(BAD)}],
        [pair(""), pair()],
    ),
    "role alias": (
        [
            {
                "chosen": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": GOOD}],
                "rejected": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": BAD}],
            }
        ],
        [pair()],
    ),
    "roles USER caps": (
        [
            {
                "chosen": [say("User", ASKED), say("Assistant", GOOD)],
                "rejected": [say("User", ASKED), say("Assistant", BAD)],
            }
        ],
        [pair()],
    ),
    "system answer role": (
        [{"chosen": [say("user", ASKED), say("system", GOOD)], "rejected": [say("user", ASKED), say("system", BAD)]}],
        [REJECTED],
    ),
    "json strings": (
        [
            {
                "prompt": '[{"role":"user","content":"Why is the sky blue?"}]',
                "chosen": '[{"role":"assistant","content":"' + GOOD + '"}]',
                "rejected": '[{"role":"assistant","content":"' + BAD + '"}]',
            }
        ],
        [pair()],
    ),
    "hh": (
        [
            {
                "chosen": "\n\nHuman: " + ASKED + "\n\nAssistant: " + GOOD,
                "rejected": "\n\nHuman: " + ASKED + "\n\nAssistant: " + BAD,
            }
        ],
        [pair()],
    ),
    "hh first turn differs": (
        [
            {
                "chosen": "\n\nHuman: " + ASKED + "\n\nAssistant: " + GOOD,
                "rejected": "\n\nHuman: other\n\nAssistant: " + BAD,
            },
            {
                "chosen": "\n\nHuman: " + ASKED + "\n\nAssistant: " + GOOD,
                "rejected": "\n\nHuman: " + ASKED + "\n\nAssistant: " + BAD,
            },
        ],
        [REJECTED, pair()],
    ),
    "intel": (
        [{"system": "S.", "question": ASKED, "chosen": GOOD, "rejected": BAD}],
        [pair(p=[("s", "S."), ("u", ASKED)])],
    ),
    "alpaca": (
        [{"instruction": "Summarise.", "input": ASKED, "chosen": GOOD, "rejected": BAD}],
        [pair(p=[("u", "Summarise.\n" + ASKED)])],
    ),
    "ultrainteract": (
        [{"id": "1", "trajectory": [{"from": "user", "value": ASKED}], "chosen": GOOD, "rejected": BAD}],
        [pair()],
    ),
    "cai": (
        [{"index": 1, "prompt": ASKED, "messages": talk(GOOD), "chosen": talk(GOOD), "rejected": talk(BAD)}],
        [pair()],
    ),
    "open-instruct": (
        [
            {
                "chosen": talk(GOOD),
                "rejected": talk(BAD),
                "chosen_score": {"rm": 1.0},
                "rejected_score": {"rm": 0.5},
                "reference_completion": "r",
                "reference_completion_score": {"rm": 0.1},
            }
        ],
        [pair(r=(1.0, 0.5))],
    ),
    "tools": ([{"prompt": ASKED, "chosen": GOOD, "rejected": BAD, "tools": '[{"name":"f"}]'}], [REJECTED]),
    "images": ([{"prompt": ASKED, "chosen": GOOD, "rejected": BAD, "images": ["a.png"]}], [REJECTED]),
    "image part": (
        [
            {
                "prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": ASKED}]}],
                "chosen": [say("assistant", GOOD)],
                "rejected": [say("assistant", BAD)],
            }
        ],
        [REJECTED],
    ),
    "<image> token": ([{"prompt": "<image>\n" + ASKED, "chosen": GOOD, "rejected": BAD, "image": "x.png"}], [REJECTED]),
    "kto": ([{"prompt": ASKED, "completion": GOOD, "label": True}], REFUSED),
    "gair": (
        [
            {
                "query": ASKED,
                "response_1": {"content": GOOD, "model": "a", "num_words": 5},
                "response_2": {"content": BAD, "model": "b", "num_words": 5},
                "preference_labels": {"gpt-4-turbo": "response_1", "human": "response_2"},
            }
        ],
        REFUSED,
    ),
    "auto-j": ([{"prompt": ASKED, "response 1": GOOD, "response 2": BAD, "label": 0}], REFUSED),
    "pandalm": (
        [
            {
                "idx": 0,
                "instruction": ASKED,
                "input": "",
                "response1": GOOD,
                "response2": BAD,
                "annotator1": 1,
                "annotator2": 0,
            }
        ],
        REFUSED,
    ),
    "unseparated rows inside key": ([{"data": {"prompt": ASKED, "chosen": GOOD, "rejected": BAD}}], [pair()]),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_read(name):
    check(*TABLES[name])
