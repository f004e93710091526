"""Tables that could be read into pairs that nobody wrote: each is read right, or refused with the reason."""

import json

import pytest

from curate.errors import InputError, RowError
from curate.readers import detect
from curate.readers.files.json_shapes import rows_within

USER, SYSTEM = {"role": "user", "content": "q"}, {"role": "system", "content": "s"}
GOOD, BAD = {"role": "assistant", "content": "g"}, {"role": "assistant", "content": "b"}
SIDES = {"chosen": "g", "rejected": "b"}


@pytest.mark.parametrize("name", ["responses", "completions", "pair"])
def test_sides_in_a_struct_are_a_pair_and_keep_the_prompt_outside(name):
    row = {"prompt": "q", "system": "s", name: SIDES}
    record = detect([row]).parse(row)
    assert (record.prompt, record.responses, record.pair) == ((SYSTEM, USER), ("g", "b"), (0, 1))


def test_the_system_text_outside_a_struct_of_conversations_is_read():
    row = {"system": "s", "data": {"chosen": [USER, GOOD], "rejected": [USER, BAD]}}
    assert detect([row]).parse(row).prompt == (SYSTEM, USER)


def test_two_structs_of_pairs_are_refused():
    with pytest.raises(InputError, match="Several columns hold pairs"):
        detect([{"prompt": "q", "first": SIDES, "second": SIDES}])


@pytest.mark.parametrize(
    "verdict",
    [{"preference": 1}, {"winner": "response_1"}, {"label": 1}, {"best_response_idx": 1}, {"label": 0}],
)
def test_a_verdict_on_a_list_is_not_lost(verdict):
    row = {"prompt": "q", "responses": ["g", "b"]}
    with pytest.raises(InputError, match="says which is better"):
        detect([row | verdict])
    assert detect([row | verdict | {"rewards": [1, 0]}]).name == detect([row]).name == "responses"


@pytest.mark.parametrize("other", [{"label": "maths"}, {"choice": None}, {"preference": "short answers"}])
def test_a_column_that_names_no_response_is_no_verdict(other):
    assert detect([{"prompt": "q", "responses": ["g", "b"]} | other]).name == "responses"


def test_columns_by_row_number_are_joined_by_that_number():
    whole = {"prompt": {"0": "q", "1": "r"}, "chosen": {"1": "h", "0": "g"}, "rejected": {"0": "b", "1": "c"}}
    assert rows_within(whole) == [{"prompt": "q", **SIDES}, {"prompt": "r", "chosen": "h", "rejected": "c"}]
    with pytest.raises(InputError, match="same rows"):
        rows_within(whole | {"chosen": {"0": "g", "2": "h"}})


def test_rows_under_their_ids_are_all_read():
    rows = [{"prompt": "q", **SIDES}, {"prompt": "r", **SIDES}]
    assert rows_within({"a1": rows[0], "a2": rows[1]}) == rows
    assert rows_within({"chosen": rows[0], "rejected": rows[1]}) is None


@pytest.mark.parametrize("prompt", [USER, {"messages": [USER]}])
def test_messages_in_json_text_are_the_prompt(prompt):
    row = {"prompt": json.dumps(prompt), **SIDES}
    assert detect([row]).parse(row).prompt == (USER,)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": '["q", "r"]', **SIDES}, "a list of 2 texts in JSON"),
        ({"prompt": "User: a\nAssistant: b\nUser: c", **SIDES}, "begins as a transcript"),
        ({"prompt": " ", **SIDES}, "the prompt is empty"),
        ({"prompt": "", "responses": ["g", "b"]}, "the prompt is empty"),
    ],
)
def test_prompts_that_are_not_the_users_words_are_rejected(row, reason):
    with pytest.raises(RowError, match=reason):
        detect([row]).parse(row)


@pytest.mark.parametrize(
    ("chosen", "rejected", "told"),
    [
        ('["g"]', '["b", "c"]', "list of texts in JSON"),
        ("Assistant: g", " ### Assistant: b", "begin with `Assistant:`"),
    ],
)
def test_responses_with_more_than_their_text_are_refused(chosen, rejected, told):
    with pytest.raises(InputError, match=told):
        detect([{"prompt": "q", "chosen": chosen, "rejected": rejected}])
