import json

import pytest

from curate.errors import InputError
from curate.readers import open_source
from curate.readers.files.json_shapes import rows_within

ROWS = [{"prompt": "q", "chosen": "g"}, {"prompt": "r", "chosen": "h"}]
MESSAGES = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


@pytest.mark.parametrize(
    "whole",
    [
        {"version": 1, "data": ROWS},
        {"rows": ROWS, "n": 2},
        {"train": ROWS},
        {"prompt": ["q", "r"], "chosen": ["g", "h"]},
        {"prompt": {"0": "q", "1": "r"}, "chosen": {"0": "g", "1": "h"}},
        {"0": ROWS[0], "1": ROWS[1]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_tables_in_one_object(tmp_path, whole, indent):
    path = tmp_path / "d.json"
    path.write_text(json.dumps(whole, indent=indent))
    (chunk,) = open_source([str(path)]).chunks(10)
    assert chunk.rows == ROWS and not chunk.rejects


@pytest.mark.parametrize(
    "row",
    [
        {"chosen": MESSAGES, "rejected": MESSAGES},
        {"messages": MESSAGES, "rejected_response": "b"},
        {"prompt": "q", "responses": ["a", "b"], "rewards": [1, 2]},
        {"data": MESSAGES},
        {"data": []},
        {},
    ],
)
def test_a_row_is_a_row(row):
    assert rows_within(row) is None


def test_several_lists_are_refused(tmp_path):
    path = tmp_path / "d.json"
    path.write_text(json.dumps({"train": ROWS, "test": ROWS}))
    with pytest.raises(InputError, match="train, test"):
        open_source([str(path)])


def test_lines_stay_lines(tmp_path):
    path = tmp_path / "d.json"
    path.write_text("\n".join(json.dumps(row) for row in ROWS) + '\n{"broken": \n')
    (chunk,) = open_source([str(path)]).chunks(10)
    assert chunk.rows == ROWS and len(chunk.rejects) == 1
