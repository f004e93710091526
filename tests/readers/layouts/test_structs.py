import json

import pytest

from curate.errors import RowError
from curate.readers import detect

USER = {"role": "user", "content": "q"}


def say(text):
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    ("row", "rewards"),
    [
        ({"completions": [{"response": "a", "overall_score": 3.0}, {"response": "b", "overall_score": "9"}]}, (3, 9)),
        ({"answers": [{"answer": "a", "rank": 1.0}, {"answer": "b", "rank": 4.0}, {"answer": "c"}]}, (-1, -4, None)),
        ({"responses": [{"text": "a", "score": 1, "model": "m"}, {"text": "b", "score": None}]}, (1, None)),
        ({"candidates": [{"text": "a"}, {"text": "b"}]}, None),
        ({"responses": json.dumps([{"text": "a", "reward": 1}, {"text": "b", "reward": 2}])}, (1, 2)),
        ({"responses": {"gpt": "a", "llama": "b", "other": None}, "scores": {"gpt": 1.0, "llama": 2.0}}, (1, 2)),
        ({"responses": ["a", "b"], "ranks": [1, 2]}, (-1, -2)),
        ({"responses": ["a", "b"], "rewards_armo": [{"score": 1}, {"score": 2}]}, (1, 2)),
    ],
)
def test_candidates(row, rewards):
    row = {"instruction": "q", **row}
    record = detect([row]).parse(row)
    assert record.prompt == (USER,) and record.responses[:2] == ("a", "b") and record.pair is None
    assert record.measured.get("reward") == rewards


def test_the_models_are_kept():
    structs = [{"text": "a", "model": "gpt", "score": 1}, {"text": "b", "model": None, "score": 2}]
    for row in ({"responses": structs}, {"responses": {"gpt": "a", "llama": "b"}}, {"answers": structs}):
        models = detect([{"prompt": "q", **row}]).parse({"prompt": "q", **row}).measured["model"]
        assert models in (("gpt", None), ("gpt", "llama"))
    row = {"prompt": "q", "responses": ["a", "b"], "models": "gpt and llama"}
    assert detect([row]).parse(row).measured == {}


def test_a_message_is_no_mapping_by_model():
    row = {"prompt": "q", "responses": [say("a"), say("b")]}
    assert detect([row]).parse(row).responses == ("a", "b")


@pytest.mark.parametrize(
    "row",
    [
        {
            "context": [USER],
            "completions": [{"rank": 1, "completion": [say("b")]}, {"rank": 0, "completion": [say("g")]}],
        },
        {"prompt": "q", "answers": [{"answer": "g", "rank": 1}, {"answer": "b", "rank": 2}]},
        {"info": {"post": "q"}, "summaries": [{"text": "b"}, {"text": "g"}], "choice": 1},
    ],
)
def test_pairs(layouts, row):
    assert detect([row], "pairs") == layouts["ranked"]
    record = layouts["ranked"].parse(row)
    assert record.prompt == (USER,) and record.responses == ("g", "b") and record.pair == (0, 1)
    assert record.measured.get("reward") in (None, (0.0, -1.0), (-1.0, -2.0))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"answers": [{"answer": "g", "rank": 1}] * 3}, "3 responses where two"),
        ({"answers": [{"answer": "g", "rank": 1}, {"answer": "b", "rank": 1}]}, "same rank"),
        ({"answers": [{"answer": "g", "rank": 1}, {"answer": "b"}]}, "no rank"),
        ({"choice": 2}, "not 0 or 1"),
        ({"prompt": None}, "no prompt"),
    ],
)
def test_bad_rows(layouts, change, reason):
    row = {"prompt": "q", "answers": [{"answer": "g", "rank": 1}, {"answer": "b", "rank": 2}]}
    with pytest.raises(RowError, match=reason):
        layouts["ranked"].parse(row | change)
