import json

import pytest

from curate.errors import RowError
from curate.readers import detect

USER = {"role": "user", "content": "q"}
SYSTEM = {"role": "system", "content": "s"}
GOOD, BAD = {"role": "assistant", "content": "g"}, {"role": "assistant", "content": "b"}
MORE = {"role": "assistant", "content": "m"}


@pytest.mark.parametrize(
    ("row", "context"),
    [
        ({"prompt": "q", "chosen": "g", "rejected": "b"}, (USER,)),
        ({"question": "q", "system": "s", "chosen": "g", "rejected": "b"}, (SYSTEM, USER)),
        ({"input": "q", "system": "", "chosen": "g", "reject": "b"}, (USER,)),
        ({"instruction": "q", "chosen": "g", "rejected_response": "b"}, (USER,)),
        ({"prompt": "q", "chosen": GOOD, "rejected": BAD}, (USER,)),
        ({"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]}, (USER,)),
        ({"prompt": [SYSTEM, USER], "chosen": [GOOD], "rejected": [BAD]}, (SYSTEM, USER)),
        ({"prompt": [USER], "chosen": [USER, GOOD], "rejected": [USER, BAD]}, (USER,)),
        ({"prompt": [USER], "system": "s", "chosen": [USER, GOOD], "rejected": [USER, BAD]}, (SYSTEM, USER)),
        ({"prompt": "q", "tools": "[]", "images": None, "chosen": "g", "rejected": "b"}, (USER,)),
        ({"instruction": "q", "history": [["q", "m"]], "chosen": "g", "rejected": "b"}, (USER, MORE, USER)),
        (
            {"input": {"messages": [USER], "tools": []}, "preferred_output": [GOOD], "non_preferred_output": [BAD]},
            (USER,),
        ),
        ({"context": [USER], "chosen": "g", "rejected": "b"}, (USER,)),
        ({"prompt": [USER], "chosen": [MORE, USER, GOOD], "rejected": [MORE, USER, BAD]}, (USER, MORE, USER)),
        ({"prompt": "\n\nHuman: q \n\nAssistant:", "chosen": " g", "rejected": "b\n"}, (USER,)),
        (
            {"prompt": "\n\nHuman: q\n\nAssistant: m\n\nHuman: q\n\nAssistant:", "chosen": " g", "rejected": " b"},
            (USER, MORE, USER),
        ),
    ],
)
def test_golden(layouts, row, context):
    record = layouts["explicit"].parse(row)
    assert record.prompt == context and record.responses == ("g", "b") and record.pair == (0, 1)
    # sides that hold the prompt themselves are the implicit layout; both read the row alike
    found = detect([row])
    assert found.name in ("explicit", "implicit") and found.parse(row) == record


def test_json_text_in_all_rows_is_opened():
    row = {"prompt": json.dumps([USER]), "chosen": json.dumps([GOOD]), "rejected": json.dumps([BAD])}
    record = detect([row]).parse(row)
    assert record.prompt == (USER,) and record.responses == ("g", "b")
    with pytest.raises(RowError, match="valid JSON"):
        detect([row]).parse(row | {"chosen": row["chosen"][:-4]})


def test_white_space_of_plain_text_stays(layouts):
    assert layouts["explicit"].parse({"prompt": "q", "chosen": " g\n", "rejected": ""}).responses == (" g\n", "")


def test_scores_are_read(layouts):
    row = {"prompt": "q", "chosen": "g", "rejected": "b", "chosen_score": 4.0, "rejected_score": "N/A"}
    assert layouts["explicit"].parse(row).measured == {"reward": (4.0, None)}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "q", "chosen": "g", "rejected": None}, "missing"),
        ({"prompt": "q", "chosen": "g", "rejected": 3}, "a number"),
        ({"prompt": 3, "chosen": "g", "rejected": "b"}, "neither text nor"),
        ({"prompt": None, "chosen": "g", "rejected": "b"}, "no prompt"),
        ({"prompt": "q", "chosen": [], "rejected": [BAD]}, "no messages"),
        ({"prompt": "q", "chosen": USER, "rejected": BAD}, "does not end"),
        ({"prompt": "q", "tools": "look it up", "chosen": "g", "rejected": "b"}, "tools"),
        ({"prompt": "q", "image": {"bytes": b"x", "path": None}, "chosen": "g", "rejected": "b"}, "images"),
        ({"prompt": "q", "initial_reason_steps": "1.", "chosen": "g", "rejected": "b"}, "beginning of the response"),
    ],
)
def test_bad_rows(layouts, row, reason):
    with pytest.raises(RowError, match=reason):
        layouts["explicit"].parse(row)
