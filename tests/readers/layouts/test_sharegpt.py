import pytest

from curate.errors import RowError
from curate.readers import detect

TURN = {"from": "human", "value": "q"}
GOOD, BAD = {"from": "gpt", "value": "g"}, {"from": "gpt", "value": "b"}


def test_golden(layouts):
    row = {"conversations": [TURN, GOOD, TURN], "chosen": GOOD, "rejected": BAD, "system": "s"}
    assert detect([row]) == layouts["sharegpt"]
    record = layouts["sharegpt"].parse(row)
    assert [message["role"] for message in record.prompt] == ["system", "user", "assistant", "user"]
    assert record.responses == ("g", "b") and record.pair == (0, 1)


def test_sides_of_text(layouts):
    row = {"messages": [{"role": "user", "content": "q"}], "chosen": "[1]", "rejected": '{"a": 1}'}
    assert detect([row]) == layouts["sharegpt"]
    assert layouts["sharegpt"].parse(row).responses == ("[1]", '{"a": 1}')


def test_axolotl(layouts):
    row = {
        "messages": [{"role": "user", "content": "q"}],
        "chosen": {"role": "assistant", "content": "g"},
        "rejected": {"role": "assistant", "content": "b"},
    }
    assert detect([row]) == layouts["sharegpt"]
    assert layouts["sharegpt"].parse(row).responses == ("g", "b")
    assert detect([row | {"prompt": "q"}]) == layouts["explicit"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"conversations": [TURN], "chosen": GOOD, "rejected": None}, "missing"),
        ({"conversations": [], "chosen": GOOD, "rejected": BAD}, "no messages"),
        ({"conversations": [TURN], "chosen": TURN, "rejected": BAD}, "does not end"),
        ({"conversations": ["q"], "chosen": "g", "rejected": BAD}, "text where messages"),
    ],
)
def test_bad_rows(layouts, row, reason):
    with pytest.raises(RowError, match=reason):
        layouts["sharegpt"].parse(row)
