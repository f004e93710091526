import pytest

from curate.errors import InputError, RowError
from curate.readers import detect

USER = {"role": "user", "content": "q"}
ROW = {"prompt": "q", "response_0": "a", "response_1": "b", "response_2": "c"}


@pytest.mark.parametrize(
    ("scores", "rewards"),
    [
        ({"response_0_reward": 1, "response_1_reward": 2, "response_2_reward": 3}, (1.0, 2.0, 3.0)),
        ({"score_0": 1, "score_1": "2", "score_2": None}, (1.0, 2.0, None)),
        ({"rank_0": 1, "rank_1": 3, "rank_2": 2}, (-1.0, -3.0, -2.0)),
    ],
)
def test_golden(layouts, scores, rewards):
    assert detect([ROW | scores]) == layouts["wide"]
    record = layouts["wide"].parse(ROW | scores)
    assert record.prompt == (USER,) and record.responses == ("a", "b", "c") and record.pair is None
    assert record.measured == {"reward": rewards}


def test_null_responses_are_left_out(layouts):
    row = {**ROW, "response_1": None, "score_0": 1, "score_1": None, "score_2": 3}
    record = layouts["wide"].parse(row)
    assert record.responses == ("a", "c") and record.measured == {"reward": (1.0, 3.0)}
    assert layouts["wide"].parse(ROW).measured == {}


def test_a_named_pair_is_the_pair():
    row = ROW | {"chosen": "c", "reject": "a", "chosen_reward": 2.0, "reject_reward": 1.0}
    assert detect([row]).name == "explicit"
    assert detect([row]).parse(row).measured == {"reward": (2.0, 1.0)}
    labelled = ROW | {"chosen": "response_2", "rejected": "response_0"}
    assert detect([labelled]).parse(labelled).responses == ("c", "a")
    with pytest.raises(RowError, match="name none of the responses"):
        detect([labelled]).parse(labelled | {"chosen": "response_9"})


def test_gaps_are_no_row_of_responses():
    with pytest.raises(InputError):
        detect([{"prompt": "q", "response_0": "a", "response_2": "b", "response_5": "c"}])
