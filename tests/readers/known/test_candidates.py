"""Lists of responses with scores or ranks, as published data sets arrange them."""

import pytest

from tests.readers.known.tables import ASKED, BAD, GOOD, REFUSED, USER, check, pair, rated, say

TABLES = {
    "ultrafeedback": (
        [
            {
                "source": "e",
                "instruction": ASKED,
                "models": ["a", "b", "c"],
                "completions": [
                    {
                        "model": "a",
                        "principle": "h",
                        "custom_system_prompt": "Be a pirate.",
                        "response": GOOD,
                        "annotations": rated("5"),
                        "critique": "c",
                        "overall_score": 8.5,
                        "fine-grained_score": 5.0,
                    },
                    {
                        "model": "b",
                        "principle": "h",
                        "custom_system_prompt": "Be.",
                        "response": BAD,
                        "annotations": rated("N/A"),
                        "critique": "c",
                        "overall_score": 2.0,
                        "fine-grained_score": 1.5,
                    },
                    {
                        "model": "c",
                        "principle": "h",
                        "custom_system_prompt": "Be.",
                        "response": "x",
                        "annotations": rated("1"),
                        "critique": "c",
                        "overall_score": "N/A",
                        "fine-grained_score": None,
                    },
                ],
                "correct_answers": ["a"],
                "incorrect_answers": ["b"],
            }
        ],
        [(USER, (GOOD, BAD, "x"), (5.0, 1.5, None))],
    ),
    "nemo-rl": (
        [
            {
                "context": [say("user", ASKED)],
                "completions": [
                    {"rank": 1, "completion": [say("assistant", BAD)]},
                    {"rank": 0, "completion": [say("assistant", GOOD)]},
                ],
                "task_name": "t",
            }
        ],
        [pair(r=(0.0, -1.0))],
    ),
    "nemo-rl 3": (
        [
            {
                "context": [say("user", ASKED)],
                "completions": [
                    {"rank": 0, "completion": [say("assistant", GOOD)]},
                    {"rank": 1, "completion": [say("assistant", BAD)]},
                    {"rank": 2, "completion": [say("assistant", "x")]},
                ],
                "task_name": "t",
            }
        ],
        [(USER, (GOOD, BAD, "x"), (0.0, -1.0, -2.0))],
    ),
    "responses structs content": (
        [{"prompt": ASKED, "responses": [{"content": GOOD, "score": 1.0}, {"content": BAD, "score": 0.0}]}],
        [(USER, (GOOD, BAD), (1.0, 0.0))],
    ),
    "candidates text reward": (
        [{"prompt": ASKED, "candidates": [{"text": GOOD, "reward": 1.0}, {"text": BAD, "reward": 0.0}]}],
        [(USER, (GOOD, BAD), (1.0, 0.0))],
    ),
    "gen responses mapping": (
        [{"prompt": ASKED, "responses": {"gpt": GOOD, "llama": BAD}, "scores": {"gpt": 9, "llama": 2}}],
        [(USER, (GOOD, BAD), (9.0, 2.0))],
    ),
    "gen responses mapping ratings order": (
        [{"prompt": ASKED, "responses": {"gpt": GOOD, "llama": BAD}, "ratings": {"llama": 2, "gpt": 9}}],
        [(USER, (GOOD, BAD), (9.0, 2.0))],
    ),
    "completions by model struct": (
        [{"prompt": ASKED, "completions": {"gpt": {"text": GOOD, "score": 9}, "llama": {"text": BAD, "score": 2}}}],
        [(USER, (GOOD, BAD), (9.0, 2.0))],
    ),
    "wide armo": (
        [
            {
                "prompt_id": "1",
                "prompt": ASKED,
                "llama_prompt": "x",
                "response_0": GOOD,
                "response_1": BAD,
                "response_2": "c",
                "response_0_reward": 1.0,
                "response_1_reward": 0.5,
                "response_2_reward": None,
            }
        ],
        [(USER, (GOOD, BAD, "c"), (1.0, 0.5, None))],
    ),
    "wide completion_1 score_1": (
        [
            {
                "prompt": ASKED,
                "completion_1": GOOD,
                "completion_2": BAD,
                "completion_3": "c",
                "score_1": 1,
                "score_2": 2,
                "score_3": 3,
            }
        ],
        [(USER, (GOOD, BAD, "c"), (1.0, 2.0, 3.0))],
    ),
    "wide rank": (
        [
            {
                "prompt": ASKED,
                "response_1": GOOD,
                "response_2": BAD,
                "response_3": "c",
                "rank_1": 1,
                "rank_2": 2,
                "rank_3": 3,
            }
        ],
        [(USER, (GOOD, BAD, "c"), (-1.0, -2.0, -3.0))],
    ),
    "wide two with reward": (
        [{"prompt": ASKED, "response_0": GOOD, "response_1": BAD, "response_0_reward": 1.0, "response_1_reward": 0.5}],
        [pair(r=(1.0, 0.5))],
    ),
    "online-rlhf M prompt": (
        [{"prompt": [say("user", ASKED)], "responses": [GOOD, BAD], "rewards": [1.0, 0.0]}],
        [(USER, (GOOD, BAD), (1.0, 0.0))],
    ),
    "ranks list": ([{"prompt": ASKED, "responses": [BAD, GOOD], "rank": [2, 1]}], [(USER, (BAD, GOOD), (-2.0, -1.0))]),
    "ranks 0 best?": (
        [{"prompt": ASKED, "responses": [BAD, GOOD], "ranks": [1, 0]}],
        [(USER, (BAD, GOOD), (-1.0, 0.0))],
    ),
    "best_response index": ([{"prompt": ASKED, "responses": [BAD, GOOD], "best_response": 1}], REFUSED),
    "openrlhf responses label": (
        [{"prompt": ASKED, "outputs": [BAD, GOOD], "rewards": [0.0, 1.0]}],
        [(USER, (BAD, GOOD), (0.0, 1.0))],
    ),
    "ratings with N/A": (
        [{"instruction": ASKED, "generations": [GOOD, BAD], "ratings": ["N/A", 3.0]}],
        [(USER, (GOOD, BAD), (None, 3.0))],
    ),
    "score struct magpie": (
        [{"instruction": ASKED, "responses": [GOOD, BAD], "rewards_armorm": [{"score": 0.2}, {"score": 0.1}]}],
        [(USER, (GOOD, BAD), (0.2, 0.1))],
    ),
    "long helpsteer2": (
        [
            {
                "prompt": ASKED,
                "response": GOOD,
                "helpfulness": 4,
                "correctness": 4,
                "coherence": 4,
                "complexity": 1,
                "verbosity": 1,
            },
            {
                "prompt": ASKED,
                "response": BAD,
                "helpfulness": 1,
                "correctness": 1,
                "coherence": 4,
                "complexity": 1,
                "verbosity": 1,
            },
        ],
        [(USER, (GOOD,), (4.0,)), (USER, (BAD,), (1.0,))],
    ),
    "long openrlhf": (
        [{"input": ASKED, "output": GOOD, "reward": 0.4}, {"input": ASKED, "output": BAD, "reward": -0.4}],
        [(USER, (GOOD,), (0.4,)), (USER, (BAD,), (-0.4,))],
    ),
    "long rank": (
        [{"prompt": ASKED, "completion": GOOD, "rank": 1}, {"prompt": ASKED, "completion": BAD, "rank": 2}],
        [(USER, (GOOD,), (-1.0,)), (USER, (BAD,), (-2.0,))],
    ),
    "long capitals": (
        [
            {"Prompt": ASKED, "Response": GOOD, "Score": "4"},
            {"Prompt": ASKED, "Response": BAD, "Score": "N/A"},
            {"Prompt": ASKED, "Response": "c", "Score": "1"},
        ],
        [(USER, (GOOD,), (4.0,)), (USER, (BAD,), (None,)), (USER, ("c",), (1.0,))],
    ),
    "long unique prompts": (
        [{"prompt": ASKED, "response": GOOD, "score": 1}, {"prompt": "x", "response": BAD, "score": 2}],
        REFUSED,
    ),
    "long label": (
        [{"prompt": ASKED, "response": GOOD, "label": 1}, {"prompt": ASKED, "response": BAD, "label": 0}],
        REFUSED,
    ),
    "a mapping by model, and the models of the pair": (
        [{"prompt": ASKED, "responses": {"gpt": GOOD, "llama": BAD}, "chosen": "gpt", "rejected": "llama"}],
        [pair()],
    ),
    "a mapping by model, and the better model": (
        [{"prompt": ASKED, "responses": {"gpt": GOOD, "llama": BAD}, "winner": "gpt"}],
        REFUSED,
    ),
    "structs with ids, and the ids of the pair": (
        [
            {
                "prompt": ASKED,
                "responses": [{"id": "r1", "text": BAD}, {"id": "r2", "text": GOOD}],
                "chosen": "r2",
                "rejected": "r1",
            }
        ],
        [pair()],
    ),
    "a score in each message": (
        [
            {
                "prompt": ASKED,
                "responses": [say("assistant", GOOD) | {"score": 2.0}, say("assistant", BAD) | {"score": 1.0}],
            }
        ],
        [(USER, (GOOD, BAD), (2.0, 1.0))],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_read(name):
    check(*TABLES[name])
