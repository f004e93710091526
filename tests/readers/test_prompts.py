from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import InputError, RowError
from curate.readers import prompts_layout
from tests.readers.test_detect import ROW

SYSTEM, USER = {"role": "system", "content": "s"}, {"role": "user", "content": "q"}
ANSWER, OTHER = {"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}


def prompt_of(row: dict[str, Any]) -> list[dict[str, str]]:
    record = prompts_layout([row]).parse(row)
    assert record.responses == ()
    assert record.pair is None
    return list(record.prompt)


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"prompt": "q"}, [USER]),
        ({"question": "q", "system": "s"}, [SYSTEM, USER]),
        ({"instruction": "do", "input": "this"}, [{"role": "user", "content": "do\nthis"}]),
        ({"instruction": "q", "input": "", "output": "a"}, [USER]),
        ({"prompt": [SYSTEM, USER]}, [SYSTEM, USER]),
        ({"prompt": json.dumps([USER, ANSWER, USER])}, [USER, ANSWER, USER]),
        ({"prompt": "\n\nHuman: q\n\nAssistant:"}, [USER]),
        ({"messages": [USER]}, [USER]),
        ({"messages": [SYSTEM, USER, ANSWER]}, [SYSTEM, USER]),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, [USER]),
        ({"prompt": "q", "messages": [USER, ANSWER, USER, OTHER]}, [USER]),
        ({"prompt": "q", "history": [["q", "a"]]}, [USER, ANSWER, USER]),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, [USER]),
        ({"prompt": "q", "response_a": "a", "response_b": "b", "winner": "model_a"}, [USER]),
        ({"Prompt": "q", "System Prompt": "s"}, [SYSTEM, USER]),
        ({"prompt": "an excerpt", "chosen": [USER, ANSWER], "rejected": [USER, OTHER]}, [USER]),
        ({"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}, [USER]),
        ({"prompt": [USER], "responses": ["a", "b"], "rewards": [1, 2]}, [USER]),
        ({"prompt": "q", "responses": []}, [USER]),
        ({"prompt": "q", "all_generated_responses": ["a"], "all_rm_scores": [1.0]}, [USER]),
    ],
)
def test_prompts_of_every_kind_of_row(row, prompt):
    assert prompt_of(row) == prompt


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": ""}, "empty"),
        ({"prompt": [{"role": "user", "content": " \n"}]}, "empty"),
        ({"prompt": [USER, ANSWER]}, "does not end with the user"),
        ({"prompt": [SYSTEM]}, "does not end with the user"),
        ({"prompt": 3}, "neither text nor"),
        ({"prompt": None, "id": 1}, "no prompt"),
        ({"messages": [ANSWER]}, "empty"),
        ({"messages": "hello"}, "is text where messages"),
        ({"instruction": "q", "history": ["a", "b"]}, "history holds text"),
        ({"prompt": "q", "images": ["a.png"]}, "images"),
        ({"prompt": "q", "chosen": "a", "rejected": None}, "missing"),
    ],
)
def test_bad_rows_have_a_reason(row, reason):
    good = {"prompt": "q", "chosen": "a", "rejected": "b"} if "chosen" in row else {"prompt": "q"}
    with pytest.raises(RowError, match=reason):
        prompts_layout([good]).parse(row)


def test_a_bare_prompt_among_pairs_is_read():
    pair = {"prompt": "q", "chosen": "a", "rejected": "b"}
    layout = prompts_layout([pair])
    assert layout.name == "prompts of explicit"
    assert list(layout.parse({"prompt": "q", "chosen": None, "rejected": None}).prompt) == [USER]


def test_data_without_prompts_is_refused():
    with pytest.raises(InputError, match="no prompts") as caught:
        prompts_layout([{"text": "a", "label": 1}])
    assert "text, label" in caught.value.where


@given(st.lists(ROW, min_size=1, max_size=3))
def test_any_row_is_read_or_refused_with_a_reason(rows):
    try:
        layout = prompts_layout(rows)
    except InputError:
        return
    for row in rows:
        try:
            assert layout.parse(row).prompt
        except RowError as error:
            assert str(error)
