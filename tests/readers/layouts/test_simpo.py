import pytest

from curate.errors import RowError
from curate.readers import detect

USER = {"role": "user", "content": "q"}
ROW = {"prompt": "q", "all_generated_responses": ["a", "b", "c"], "all_rm_scores": [0.1, 0.3, 0.2]}


def side(text):
    return [USER, {"role": "assistant", "content": text}]


def test_without_a_pair(layouts):
    assert detect([ROW]) == layouts["simpo"]
    record = layouts["simpo"].parse(ROW)
    assert record.prompt == (USER,) and record.responses == ("a", "b", "c") and record.pair is None
    assert record.measured == {"reward": (0.1, 0.3, 0.2)}


def test_with_a_pair(layouts):
    record = layouts["simpo"].parse(ROW | {"chosen": side("b"), "rejected": side("z")})
    assert record.pair == (1, 3) and record.responses == ("a", "b", "c", "z")
    assert record.measured == {"reward": (0.1, 0.3, 0.2, None)}


def test_several_turns_come_from_the_conversations(layouts):
    before = [USER, {"role": "assistant", "content": "m"}]
    record = layouts["simpo"].parse(ROW | {"chosen": before + side("b"), "rejected": before + side("a")})
    assert record.prompt == (*before, USER)


def test_null_pair_and_missing_scores(layouts):
    record = layouts["simpo"].parse({**ROW, "chosen": None, "rejected": None, "all_rm_scores": None})
    assert record.pair is None and record.measured == {"reward": (None, None, None)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"all_rm_scores": [1.0]}, "not as long"),
        ({"all_generated_responses": []}, "is empty"),
        ({"chosen": side("a"), "rejected": [USER]}, "does not end"),
    ],
)
def test_bad_rows(layouts, change, reason):
    with pytest.raises(RowError, match=reason):
        layouts["simpo"].parse(ROW | change)
