"""Two responses and a verdict, as published data sets arrange them."""

import pytest

from tests.readers.known.tables import ASKED, BAD, GOOD, REFUSED, REJECTED, USER, check, pair, say

TABLES = {
    "pku-saferlhf": (
        [
            {
                "prompt": ASKED,
                "response_0": BAD,
                "response_1": GOOD,
                "prompt_source": "x",
                "response_0_source": "alpaca",
                "response_1_source": "gpt",
                "is_response_0_safe": True,
                "is_response_1_safe": False,
                "response_0_harm_category": {"a": True},
                "response_1_harm_category": {"a": False},
                "response_0_severity_level": 0,
                "response_1_severity_level": 2,
                "better_response_id": 1,
                "safer_response_id": 0,
                "response_0_sha256": "1",
                "response_1_sha256": "2",
            },
            {
                "prompt": ASKED,
                "response_0": GOOD,
                "response_1": BAD,
                "is_response_0_safe": True,
                "is_response_1_safe": True,
                "better_response_id": 0,
                "safer_response_id": 1,
            },
        ],
        [pair(), pair()],
    ),
    "webgpt": (
        [
            {
                "question": {"dataset": "eli5", "id": "1", "full_text": ASKED},
                "quotes_0": {"title": ["a"], "extract": ["b"]},
                "answer_0": GOOD,
                "tokens_0": {"prefix": [1], "completion": [2]},
                "score_0": 1.0,
                "quotes_1": {"title": [], "extract": []},
                "answer_1": BAD,
                "tokens_1": {"prefix": [1], "completion": [2]},
                "score_1": -1.0,
            },
            {
                "question": {"dataset": "eli5", "id": "1", "full_text": ASKED},
                "quotes_0": {"title": ["a"], "extract": ["b"]},
                "answer_0": GOOD,
                "score_0": 0.0,
                "quotes_1": {"title": [], "extract": []},
                "answer_1": BAD,
                "score_1": 0.0,
            },
        ],
        [pair(r=(1.0, -1.0)), REJECTED],
    ),
    "summarize": (
        [
            {
                "info": {"id": "1", "post": ASKED, "title": None, "subreddit": None, "site": None, "article": None},
                "summaries": [
                    {"text": BAD, "policy": "sup", "note": None},
                    {"text": GOOD, "policy": "ref", "note": None},
                ],
                "choice": 1,
                "worker": "w",
                "batch": "b",
                "split": "train",
                "extra": {"confidence": 3},
            }
        ],
        [pair()],
    ),
    "prometheus": (
        [
            {
                "orig_criteria": "Is it right?",
                "orig_instruction": ASKED,
                "orig_reference_answer": "ref",
                "orig_response_A": BAD,
                "orig_response_B": GOOD,
                "orig_score_A": 2,
                "orig_score_B": 4,
                "orig_preference": "B",
                "orig_feedback_A": "a",
                "orig_feedback_B": "b",
                "instruction": "###Task Description: compare " + ASKED + GOOD + BAD,
                "output": "Feedback: [RESULT] B",
                "input": "",
            }
        ],
        [pair(r=(4.0, 2.0))],
    ),
    "helpsteer3": (
        [
            {
                "domain": "g",
                "language": "en",
                "context": [say("user", ASKED)],
                "response1": BAD,
                "response2": GOOD,
                "overall_preference": 2,
                "individual_preference": [{"score": 2, "reasoning": "r", "feedback1": "f", "feedback2": "f"}],
            },
            {
                "domain": "g",
                "language": "en",
                "context": [say("user", ASKED)],
                "response1": GOOD,
                "response2": BAD,
                "overall_preference": -1,
                "individual_preference": [],
            },
            {
                "domain": "g",
                "language": "en",
                "context": [say("user", ASKED)],
                "response1": GOOD,
                "response2": BAD,
                "overall_preference": 0,
                "individual_preference": [],
            },
        ],
        [pair(), pair(), REJECTED],
    ),
    "helpsteer2-pref": (
        [
            {
                "split": "train",
                "prompt": ASKED,
                "response_1": BAD,
                "response_2": GOOD,
                "preference_strength": 3,
                "preference_statement": "s",
                "preference_elaboration": "e",
                "three_most_similar_preferences": [],
                "all_preferences_unprocessed": [],
            }
        ],
        [pair()],
    ),
    "llmbar": (
        [
            {"input": ASKED, "output_1": BAD, "output_2": GOOD, "label": 2},
            {"input": ASKED, "output_1": GOOD, "output_2": BAD, "label": 1},
        ],
        [pair(), pair()],
    ),
    "alpacafarm": (
        [{"instruction": ASKED, "input": "", "output_1": BAD, "output_2": GOOD, "preference": 2, "raw_preference": 2}],
        [pair()],
    ),
    "alpacaeval float": (
        [
            {"instruction": ASKED, "output_1": BAD, "output_2": GOOD, "preference": 1.7},
            {"instruction": ASKED, "output_1": BAD, "output_2": GOOD, "preference": 1.2},
        ],
        REFUSED,
    ),
    "stack-paired": (
        [{"qid": 1, "question": ASKED, "date": "d", "metadata": ["m"], "response_j": GOOD, "response_k": BAD}],
        [pair()],
    ),
    "stack-prefs": (
        [
            {
                "qid": 1,
                "question": ASKED,
                "answers": [
                    {
                        "answer_id": 1,
                        "author": "a",
                        "author_id": 1,
                        "author_profile": "p",
                        "pm_score": 3,
                        "selected": True,
                        "text": GOOD,
                    },
                    {
                        "answer_id": 2,
                        "author": "a",
                        "author_id": 1,
                        "author_profile": "p",
                        "pm_score": 0,
                        "selected": False,
                        "text": BAD,
                    },
                ],
                "date": "d",
                "metadata": ["m"],
            }
        ],
        [(USER, (GOOD, BAD), (3.0, 0.0))],
    ),
    "signed -1 1 preference A/B": (
        [
            {"prompt": ASKED, "response_a": GOOD, "response_b": BAD, "preference_strength": -2},
            {"prompt": ASKED, "response_a": GOOD, "response_b": BAD, "preference_strength": 2},
        ],
        REFUSED,
    ),
    "winner is index str": ([{"prompt": ASKED, "response_0": BAD, "response_1": GOOD, "winner": "1"}], [pair()]),
    "winner letter on number names": (
        [{"prompt": ASKED, "response_1": BAD, "response_2": GOOD, "winner": "B"}],
        [pair()],
    ),
    "winner C tie": (
        [
            {"prompt": ASKED, "response_a": BAD, "response_b": GOOD, "winner": "C"},
            {"prompt": ASKED, "response_a": BAD, "response_b": GOOD, "winner": "B"},
        ],
        [REJECTED, pair()],
    ),
    "both good": (
        [
            {"prompt": ASKED, "response_a": BAD, "response_b": GOOD, "winner": "both_good"},
            {"prompt": ASKED, "response_a": BAD, "response_b": GOOD, "winner": "model_b"},
        ],
        [REJECTED, pair()],
    ),
    "capital cols": ([{"Prompt": ASKED, "Response_A": BAD, "Response_B": GOOD, "Winner": "B"}], [pair()]),
    "ProlificAI camel": (
        [{"Prompt": ASKED, "responseA": BAD, "responseB": GOOD, "preference": "A"}],
        [(USER, BAD, GOOD, ())],
    ),
    "model_a_response": (
        [{"prompt": ASKED, "model_a_response": BAD, "model_b_response": GOOD, "winner": "model_b"}],
        [pair()],
    ),
    "assistant_a": (
        [
            {"prompt": ASKED, "assistant_a": BAD, "assistant_b": GOOD, "verdict": "[[B]]"},
            {"prompt": ASKED, "assistant_a": BAD, "assistant_b": GOOD, "verdict": "[[C]]"},
        ],
        [pair(), REJECTED],
    ),
    "choice text of the response": (
        [{"prompt": ASKED, "response_a": BAD, "response_b": GOOD, "choice": GOOD}],
        [pair()],
    ),
    "onehot bool str": (
        [{"prompt": ASKED, "response_a": BAD, "response_b": GOOD, "winner_a": "false", "winner_b": "true"}],
        [pair()],
    ),
    "strengths as text, and marks of no judgement": (
        [
            {"prompt": ASKED, "response_1": BAD, "response_2": GOOD, "preference_strength": strength}
            for strength in ("2", -100, "N/A", 0)
        ],
        [pair(), REJECTED, REJECTED, REJECTED],
    ),
    "one-hot columns that both won": (
        [
            {"prompt": ASKED, "response_a": GOOD, "response_b": BAD, "winner_a": won, "winner_b": other}
            for won, other in ((1, 0), (1, 1), ("true", "false"))
        ],
        [pair(), REJECTED, pair()],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_read(name):
    check(*TABLES[name])
