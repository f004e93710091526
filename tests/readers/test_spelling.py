import json

import pytest

from curate.errors import RowError
from curate.readers import detect
from curate.readers.parts.column_names import folded

USER, SYSTEM = {"role": "user", "content": "q"}, {"role": "system", "content": "s"}
GOOD, BAD = {"role": "assistant", "content": "g"}, {"role": "assistant", "content": "b"}


@pytest.mark.parametrize("name", ["Chosen Response", "chosenResponse", "chosen-response", "CHOSEN_RESPONSE"])
def test_folded_names(name):
    assert folded(name) == "chosen_response"


def test_capitals_in_names_lose_no_column():
    row = {"Prompt": "q", "System": "s", "Chosen": "g", "REJECTED": "b", "Chosen_Score": 2, "Rejected_Score": 1}
    record = detect([row]).parse(row)
    assert record.prompt == (SYSTEM, USER) and record.responses == ("g", "b")
    assert record.measured == {"reward": (2.0, 1.0)}
    mixed = {"prompt": "q", "chosen": "g", "rejected": "b", "System": "s"}
    assert detect([mixed]).parse(mixed).prompt == (SYSTEM, USER)


def test_an_exact_name_is_preferred():
    row = {"prompt": "q", "Prompt": "other", "chosen": "g", "rejected": "b"}
    assert detect([row]).parse(row).prompt == (USER,)


def test_rows_within_a_struct():
    row = {"row_idx": 0, "row": {"prompt": "q", "chosen": "g", "rejected": "b"}}
    layout = detect([row])
    assert layout.parse(row).responses == ("g", "b")
    with pytest.raises(RowError, match="no struct"):
        layout.parse({"row_idx": 1, "row": None})


def test_json_in_lists_of_responses():
    row = {"prompt": "q", "responses": [json.dumps([GOOD]), json.dumps([BAD])]}
    assert detect([row]).parse(row).responses == ("g", "b")
    text = {"prompt": "q", "responses": ["x", "y"]}
    # among texts, a response that looks like messages is one
    assert detect([text, text, row]).parse(row).responses == tuple(row["responses"])


def test_json_messages_on_one_side_only_are_text():
    rows = [{"prompt": "q", "chosen": json.dumps([GOOD]), "rejected": "b"}]
    assert detect(rows).parse(rows[0]).responses == (json.dumps([GOOD]), "b")
