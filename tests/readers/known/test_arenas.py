"""Two models' responses and which one won, as arenas publish them."""

import pytest

from tests.readers.known.tables import ASKED, BAD, GOOD, REJECTED, USER, check, pair, parts, say, talk

TABLES = {
    "mtbench": (
        [
            {
                "question_id": 1,
                "model_a": "x",
                "model_b": "y",
                "winner": "model_b",
                "judge": "e",
                "conversation_a": talk(BAD),
                "conversation_b": talk(GOOD),
                "turn": 1,
            },
            {
                "question_id": 1,
                "model_a": "x",
                "model_b": "y",
                "winner": "tie",
                "judge": "e",
                "conversation_a": talk(BAD),
                "conversation_b": talk(GOOD),
                "turn": 1,
            },
        ],
        [pair(), REJECTED],
    ),
    "mtbench-turn2": (
        [
            {
                "question_id": 1,
                "model_a": "x",
                "model_b": "y",
                "winner": "model_b",
                "judge": "e",
                "conversation_a": [*talk(BAD), say("user", "and?"), say("assistant", "b2")],
                "conversation_b": [*talk(BAD), say("user", "and?"), say("assistant", "g2")],
                "turn": 2,
            }
        ],
        [([*USER, ("a", BAD), ("u", "and?")], "g2", "b2", ())],
    ),
    "unified-feedback": (
        [
            {
                "id": "1",
                "conv_A": talk(BAD),
                "conv_B": talk(GOOD),
                "conv_A_rating": 1.0,
                "conv_B_rating": 5.0,
                "num_turns": 1,
                "source": "x",
            },
            {
                "id": "2",
                "conv_A": talk(GOOD),
                "conv_B": talk(BAD),
                "conv_A_rating": 3.0,
                "conv_B_rating": 3.0,
                "num_turns": 1,
                "source": "x",
            },
        ],
        [pair(r=(5.0, 1.0)), REJECTED],
    ),
    "arena33k": (
        [
            {
                "question_id": "1",
                "model_a": "x",
                "model_b": "y",
                "winner": w,
                "judge": "j",
                "conversation_a": talk(GOOD),
                "conversation_b": talk(BAD),
                "turn": 1,
                "anony": True,
                "language": "English",
                "tstamp": 1.0,
                "openai_moderation": {},
                "toxic_chat_tag": {},
            }
            for w in ("model_a", "tie", "tie (bothbad)", "model_b")
        ],
        [pair(), REJECTED, REJECTED, pair(BAD, GOOD)],
    ),
    "arena55k": (
        [
            {
                "id": 1,
                "model_a": "x",
                "model_b": "y",
                "prompt": '["Why is the sky blue?"]',
                "response_a": '["' + GOOD + '"]',
                "response_b": '["' + BAD + '"]',
                "winner_model_a": 1,
                "winner_model_b": 0,
                "winner_tie": 0,
            },
            {
                "id": 1,
                "model_a": "x",
                "model_b": "y",
                "prompt": '["Why is the sky blue?"]',
                "response_a": "[null]",
                "response_b": '["' + BAD + '"]',
                "winner_model_a": 1,
                "winner_model_b": 0,
                "winner_tie": 0,
            },
            {
                "id": 1,
                "model_a": "x",
                "model_b": "y",
                "prompt": '["Why is the sky blue?"]',
                "response_a": '["' + GOOD + '"]',
                "response_b": '["' + BAD + '"]',
                "winner_model_a": 0,
                "winner_model_b": 0,
                "winner_tie": 1,
            },
        ],
        [pair(), REJECTED, REJECTED],
    ),
    "arena140k": (
        [
            {
                "id": "1",
                "model_a": "x",
                "model_b": "y",
                "winner": w,
                "evaluation_session_id": "s",
                "evaluation_order": 1,
                "conversation_a": parts(GOOD),
                "conversation_b": parts(BAD),
                "full_conversation": [
                    {
                        "user": {"role": "user", "content": [{"type": "text", "text": ASKED}]},
                        "model_side_a": {"role": "assistant", "content": [{"type": "text", "text": GOOD}]},
                        "model_side_b": {"role": "assistant", "content": [{"type": "text", "text": BAD}]},
                    }
                ],
                "conv_metadata": {"x": 1},
                "category_tag": {},
                "is_code": False,
                "language": "en",
            }
            for w in ("model_a", "both_bad", "tie")
        ],
        [pair(), REJECTED, REJECTED],
    ),
    "ppe": (
        [
            {
                "question_id": "1",
                "prompt": ASKED,
                "response_1": BAD,
                "response_2": GOOD,
                "model_a": "x",
                "model_b": "y",
                "winner": "model_b",
                "language": "en",
                "hard_prompt": True,
            }
        ],
        [pair()],
    ),
    "shp": (
        [
            {
                "post_id": "1",
                "domain": "d",
                "upvote_ratio": 0.9,
                "history": ASKED,
                "c_root_id_A": "a",
                "c_root_id_B": "b",
                "created_at_utc_A": 1,
                "created_at_utc_B": 2,
                "score_A": 3,
                "score_B": 9,
                "human_ref_A": BAD,
                "human_ref_B": GOOD,
                "labels": 0,
                "seconds_difference": 1.0,
                "score_ratio": 3.0,
            }
        ],
        [pair(r=(9.0, 3.0))],
    ),
    "judgebench": (
        [
            {
                "pair_id": "1",
                "original_id": "o",
                "source": "s",
                "question": ASKED,
                "response_model": "gpt",
                "response_A": BAD,
                "response_B": GOOD,
                "label": "B>A",
            }
        ],
        [pair()],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_read(name):
    check(*TABLES[name])
