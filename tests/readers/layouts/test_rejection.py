import pytest

from curate.errors import RowError
from curate.readers import detect

SYSTEM, USER = {"role": "system", "content": "s"}, {"role": "user", "content": "q"}
GOOD, BAD = {"role": "assistant", "content": "g"}, {"role": "assistant", "content": "b"}


@pytest.mark.parametrize(
    "other",
    [
        {"rejected_response": "b"},
        {"rejected": "b"},
        {"rejected_messages": [SYSTEM, USER, BAD]},
        {"rejected_response": [BAD]},
        {"rejected_response": BAD},
    ],
)
def test_golden(layouts, other):
    row = {"messages": [SYSTEM, USER, GOOD], **other}
    assert detect([row]) == layouts["rejection"]
    record = layouts["rejection"].parse(row)
    assert record.prompt == (SYSTEM, USER) and record.responses == ("g", "b") and record.pair == (0, 1)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": [USER], "rejected_response": "b"}, "does not end"),
        ({"messages": [USER, GOOD], "rejected_response": None}, "missing"),
        ({"messages": [USER, GOOD], "rejected_response": ["b", "c"]}, "a list of . text"),
        ({"messages": [USER, GOOD], "rejected_messages": [SYSTEM, BAD]}, "same context"),
        ({"messages": [USER, GOOD], "rejected_response": "b", "images": ["x.png"]}, "images"),
    ],
)
def test_bad_rows(layouts, row, reason):
    with pytest.raises(RowError, match=reason):
        layouts["rejection"].parse(row)
