import pytest

from curate.errors import RowError
from curate.readers import detect

USER, AGAIN = {"role": "user", "content": "q"}, {"role": "user", "content": "r"}
GOOD, BAD = {"role": "assistant", "content": "g"}, {"role": "assistant", "content": "b"}


def test_ultrafeedback(layouts):
    row = {"prompt": "q", "chosen": [USER, GOOD], "rejected": [USER, BAD], "score_chosen": 8.5, "score_rejected": 7}
    assert detect([row]) == layouts["implicit"]
    record = layouts["implicit"].parse(row)
    assert record.prompt == (USER,) and record.responses == ("g", "b") and record.pair == (0, 1)
    assert record.measured == {"reward": (8.5, 7.0)}


def test_several_turns_win_over_the_prompt_that_is_their_last_one(layouts):
    row = {"prompt": "r", "chosen": [USER, GOOD, AGAIN, GOOD], "rejected": [USER, GOOD, AGAIN, BAD]}
    assert layouts["implicit"].parse(row).prompt == (USER, GOOD, AGAIN)


def test_score_structs_and_other_spellings(layouts):
    sides = [[{"from": "human", "value": "q"}, {"from": "gpt", "value": text}] for text in "gb"]
    row = {"chosen": sides[0], "rejected": sides[1], "chosen_score": {"rm": 1.0}, "rejected_score": {"rm": 0.5}}
    assert detect([row]) == layouts["implicit"]
    record = layouts["implicit"].parse(row)
    assert record.prompt == (USER,) and record.measured == {"reward": (1.0, 0.5)}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"chosen": [USER, GOOD], "rejected": [AGAIN, BAD]}, "same context"),
        ({"chosen": [USER, GOOD], "rejected": [USER]}, "does not end"),
        ({"chosen": [USER, GOOD], "rejected": [USER, {"role": "system", "content": "b"}]}, "does not end"),
        ({"chosen": [USER, GOOD]}, "missing"),
        ({"chosen": [USER, GOOD], "rejected": [USER, {"role": "assistant", "content": None}]}, "no content"),
    ],
)
def test_bad_rows(layouts, row, reason):
    with pytest.raises(RowError, match=reason):
        layouts["implicit"].parse(row)
