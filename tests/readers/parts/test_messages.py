import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import RowError
from curate.readers.parts.messages import decoded, normalise
from curate.readers.parts.sides import split_shared

USER, ANSWER, OTHER = (
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": "a"},
    {"role": "assistant", "content": "b"},
)


@pytest.mark.parametrize(
    ("spelling", "role"),
    [("human", "user"), ("gpt", "assistant"), ("Bot", "assistant"), ("model", "assistant"), ("chatbot", "assistant")],
)
def test_role_aliases(spelling, role):
    assert normalise([{"from": spelling, "value": "x", "weight": 1}]) == [{"role": role, "content": "x"}]
    assert normalise([{"role": spelling, "content": "x"}]) == [{"role": role, "content": "x"}]


def test_nulls_that_arrow_fills_in_do_no_harm():
    message = {
        "role": None,
        "from": "human",
        "content": None,
        "value": "x",
        "tool_calls": [],
        "function_call": {"n": None},
    }
    assert normalise([message]) == [{"role": "user", "content": "x"}]


def test_parts_are_joined():
    parts = [{"type": "text", "text": "a", "image": None}, "b", {"text": "c"}]
    assert normalise([{"role": "user", "content": parts}]) == [{"role": "user", "content": "abc"}]


@given(
    st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": st.text()}), min_size=1)
)
def test_normal_messages_stay_also_as_json_text(messages):
    assert normalise(messages) == messages
    assert normalise(decoded(json.dumps(messages))) == messages


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "no messages"),
        ("text", "is text where messages"),
        (None, "is null where messages"),
        ([1], r"a number \(1\) where messages"),
        ([["x"]], "a list of 1 text where messages"),
        ([{"content": "x"}], "a struct of content where messages"),
        ([{"role": "poet", "content": "x"}], "poet"),
        ([{"role": "user"}], "no content"),
        ([{"role": "user", "content": None}], "no content"),
        ([{"role": "user", "content": []}], "no content"),
        ([{"role": "user", "content": 3}], "not text"),
        ([{"role": "user", "content": [{"type": "image", "text": None}]}], "part that is not text"),
        ([{"role": "user", "content": "x", "tool_calls": [{"name": "f"}]}], "calls a tool"),
        ([{"role": "function_call", "content": "f(x)"}], "tool calls"),
        ([{"role": "assistant", "content": None, "tool_calls": [{"id": 1}]}], "tool calls"),
        ([{"role": "assistant", "function_call": {"name": "f", "arguments": "x = 1"}}], "tool calls"),
        ([{"role": "user", "content": "x", "images": ["a.png"]}], "images or sound"),
        ([{"role": "assistant", "content": "x", "reasoning_content": "why"}], "reasoning apart"),
    ],
)
def test_bad_messages_say_why(messages, reason):
    with pytest.raises(RowError, match=reason):
        normalise(messages)


def test_split_takes_the_last_message_and_the_shared_context():
    record = split_shared([USER, ANSWER, USER, ANSWER], [USER, ANSWER, USER, OTHER])
    assert record.prompt == (USER, ANSWER, USER)
    assert record.responses == ("a", "b") and record.pair == (0, 1)


def test_prompt_is_found_in_front_or_put_there():
    whole = split_shared([USER, ANSWER], [USER, OTHER], [USER])
    apart = split_shared([ANSWER], [OTHER], [USER])
    assert whole == apart and whole.prompt == (USER,)


def test_one_side_may_be_whole_and_the_other_an_answer():
    assert split_shared([USER, ANSWER], [OTHER], [USER]) == split_shared([ANSWER], [OTHER], [USER])


def test_a_completion_may_have_several_messages():
    assert split_shared([ANSWER, USER, ANSWER], [ANSWER, USER, OTHER], [USER]).prompt == (USER, ANSWER, USER)


def test_empty_responses_are_legal():
    empty = {"role": "assistant", "content": ""}
    assert split_shared([USER, empty], [USER, ANSWER]).responses == ("", "a")


@pytest.mark.parametrize(
    ("chosen", "rejected", "prompt", "reason"),
    [
        ([USER, ANSWER], [ANSWER, ANSWER], None, "same context"),
        ([ANSWER], [OTHER], None, "no prompt"),
        ([USER, USER], [USER, ANSWER], None, "does not end"),
        ([USER], [USER], [USER], "does not end"),
        ([], [USER], None, "no messages"),
    ],
)
def test_sides_that_do_not_fit(chosen, rejected, prompt, reason):
    with pytest.raises(RowError, match=reason):
        split_shared(chosen, rejected, prompt)
