import json

import pytest

from curate.errors import RowError
from curate.readers import detect
from curate.readers.parts.sides import is_conversation, mostly, parse_pair

USER, AGAIN = {"role": "user", "content": "q"}, {"role": "user", "content": "r"}
SYSTEM = {"role": "system", "content": "s"}
GOOD, BAD = {"role": "assistant", "content": "g"}, {"role": "assistant", "content": "b"}


def test_conversations_open_with_the_user_or_the_system():
    assert is_conversation([USER]) and is_conversation([{"from": "human", "value": "q"}])
    assert not any(is_conversation(value) for value in ([], [{"role": "assistant"}], "text", None, [3], USER))


def test_half_of_the_rows_with_both_sides_must_fit():
    rows = [{"chosen": n, "rejected": n} for n in (1, 1, 0, 0)] + [{"chosen": None}]
    assert mostly(rows, lambda _, chosen, __: chosen == 1)
    assert not mostly(rows + rows[2:3], lambda _, chosen, __: chosen == 1)
    assert not mostly([], lambda *_: True)


@pytest.mark.parametrize(
    "names",
    [
        ("chosen", "rejected"),
        ("chosen", "reject"),
        ("accepted", "rejected"),
        ("chosen_response", "rejected_response"),
        ("preferred_output", "non_preferred_output"),
    ],
)
def test_names_of_the_sides(names):
    row = {"prompt": "q", names[0]: "g", names[1]: "b"}
    assert parse_pair(row).responses == ("g", "b")
    assert detect([row]).name == "explicit"


def both(chosen, rejected):
    return {"prompt": "q", "chosen": chosen, "rejected": rejected}


def test_a_response_that_is_json_stays_text():
    texts = json.dumps([GOOD]), "no"
    assert parse_pair(both(*texts)).responses == texts
    objects = '{"primes": [2, 3]}', "[2, 4]"
    assert detect([both(*objects)]).parse(both(*objects)).responses == objects


def test_json_conversations_among_rows_of_text_are_opened():
    row = both(json.dumps([USER, GOOD]), json.dumps([USER, BAD]))
    assert parse_pair(row).responses == ("g", "b") and parse_pair(row).prompt == (USER,)


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [
        (json.dumps([GOOD]), json.dumps([BAD]), "in other rows plain text"),
        (json.dumps(GOOD), json.dumps(BAD), "in other rows plain text"),
        (str([USER, GOOD]), str([USER, BAD]), "as Python prints them"),
        ([{"role": "user", "content": "other"}, GOOD], "b", "same context"),
        (["g"], ["b"], "a list of . text"),
        ({"a": 1}, {"a": 2}, "a struct of a"),
        (1, 2, "numbers"),
        ("Human: q\nAssistant: g", "Human: q\nAssistant: b", "begins as a transcript"),
        (True, "b", "a truth value"),
    ],
)
def test_sides_that_cannot_be_read_say_why(chosen, rejected, reason):
    with pytest.raises(RowError, match=reason):
        parse_pair(both(chosen, rejected))


@pytest.mark.parametrize(
    ("prompt", "context"),
    [
        ([SYSTEM, USER], [USER]),
        ([USER], [SYSTEM, USER]),
        ([SYSTEM, USER], [SYSTEM, USER]),
        ([SYSTEM], [USER]),
    ],
)
def test_the_users_turn_stands_once_where_prompt_and_sides_both_have_it(prompt, context):
    row = {"prompt": prompt, "chosen": [*context, GOOD], "rejected": [*context, BAD]}
    assert parse_pair(row).prompt == (SYSTEM, USER)


def test_a_prompt_may_hold_the_turns_before_the_sides():
    row = {"prompt": [USER, GOOD, AGAIN], "chosen": [AGAIN, GOOD], "rejected": [AGAIN, BAD]}
    assert parse_pair(row).prompt == (USER, GOOD, AGAIN)
    before = {"prompt": [USER, GOOD], "chosen": [AGAIN, GOOD], "rejected": [AGAIN, BAD]}
    assert parse_pair(before).prompt == (USER, GOOD, AGAIN)


@pytest.mark.parametrize(
    ("prompt", "context", "reason"),
    [
        ([USER], [AGAIN], "are different"),
        ([SYSTEM, USER], [{"role": "system", "content": "t"}, USER], "system messages"),
    ],
)
def test_prompt_and_sides_that_contradict_each_other(prompt, context, reason):
    with pytest.raises(RowError, match=reason):
        parse_pair({"prompt": prompt, "chosen": [*context, GOOD], "rejected": [*context, BAD]})


def test_an_answer_at_the_end_of_the_prompt_is_left_out():
    assert parse_pair({"prompt": [USER, GOOD], "chosen": "g", "rejected": "b"}).prompt == (USER,)
    assert parse_pair({"messages": [USER, BAD], "chosen": GOOD, "rejected": BAD}).prompt == (USER,)
    other = {"role": "assistant", "content": "a third one"}
    with pytest.raises(RowError, match="none of the row's responses"):
        parse_pair({"messages": [USER, other], "chosen": GOOD, "rejected": BAD})


def test_a_prompt_in_a_templates_markup_is_read_as_its_turns():
    prompt = "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n"
    record = parse_pair({"prompt": prompt, "chosen": "g<|im_end|>\n", "rejected": "b"})
    assert record.prompt == (SYSTEM, USER) and record.responses == ("g", "b")


def test_sides_in_a_templates_markup_are_whole_conversations():
    start = "<start_of_turn>user\nq<end_of_turn>\n<start_of_turn>model\n"
    row = {"chosen": f"{start}g<end_of_turn>\n", "rejected": f"{start}b"}
    assert detect([row]).name == "transcript"
    assert detect([row]).parse(row).prompt == (USER,) and detect([row]).parse(row).responses == ("g", "b")
