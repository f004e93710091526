import pytest

from curate.errors import RowError
from curate.readers.parts.context import read_prompt, with_system
from curate.readers.parts.prompt_columns import prompt_column

SYSTEM, OTHER = {"role": "system", "content": "s"}, {"role": "system", "content": "t"}
USER, AGAIN = {"role": "user", "content": "q"}, {"role": "user", "content": "r"}
ANSWER = {"role": "assistant", "content": "a"}


def messages(row, answers=()):
    found = read_prompt(row, answers)
    return found and list(found.messages)


def test_the_columns_of_prompts():
    assert prompt_column({"prompt": None, "question": "q", "input": "i"}) == ("question", "q")
    assert prompt_column({"prompt": "", "question": "q"}) == ("question", "q")
    assert prompt_column({"input": "i"}) == ("input", "i")
    assert prompt_column({"instruction": "do", "input": ""}) == ("instruction", "do")
    assert prompt_column({"instruction": "do", "input": "this"}) == ("instruction", "do\nthis")
    assert prompt_column({}) is None


def test_system_text_goes_in_front_once():
    assert with_system({"system": "s"}, (USER,)) == (SYSTEM, USER)
    assert with_system({"system_prompt": "s"}, (SYSTEM, USER)) == (SYSTEM, USER)
    assert with_system({"system": " "}, (USER,)) == with_system({"system": 3}, (USER,)) == (USER,)
    with pytest.raises(RowError, match="are different"):
        with_system({"system": "t"}, (SYSTEM, USER))
    with pytest.raises(RowError, match="are different"):
        with_system({"system": "t", "system_prompt": "s"}, (USER,))
    with pytest.raises(RowError, match="a list"):
        with_system({"system": ["s"]}, (USER,))


@pytest.mark.parametrize(
    "history",
    [
        [["q", "a"]],
        '[["q", "a"]]',
        [USER, ANSWER],
        [{"input": "q", "output": "a"}],
        [{"user": "q", "assistant": "a", "n": 1}],
        "\n\nHuman: q\n\nAssistant: a",
        [USER, ANSWER, AGAIN],
    ],
)
@pytest.mark.parametrize("name", ["history", "chat_history", "previous_messages"])
def test_earlier_turns_go_in_front(history, name):
    assert messages({"prompt": "r", name: history}) == [USER, ANSWER, AGAIN]
    assert messages({"prompt": "r", name: history, "system": "s"}) == [SYSTEM, USER, ANSWER, AGAIN]
    # what this tool writes has the turns in the prompt, and keeps the column
    assert messages({"prompt": [USER, ANSWER, AGAIN], name: history}) == [USER, ANSWER, AGAIN]


@pytest.mark.parametrize("history", [None, [], "", "[]", [[]]])
def test_no_earlier_turns(history):
    assert messages({"prompt": "r", "history": history}) == [AGAIN]


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        (["q", "a"], "text where a question and its answer"),
        ("someone said q", "not marked who said what"),
        ([["q", None]], "question and its answer"),
        ([USER], "do not lead to the prompt"),
        ({"a": 1}, "not a list of turns"),
    ],
)
def test_a_history_that_cannot_be_read_rejects_the_row(history, reason):
    with pytest.raises(RowError, match=reason):
        messages({"prompt": "r", "history": history})


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"messages": [SYSTEM, USER]}, [SYSTEM, USER]),
        ({"prompt": "r", "messages": [USER, ANSWER, AGAIN]}, [USER, ANSWER, AGAIN]),
        ({"prompt": "r", "messages": [SYSTEM, AGAIN]}, [SYSTEM, AGAIN]),
        (
            {"prompt": "r", "messages": [USER, ANSWER, AGAIN, {"role": "assistant", "content": "x"}]},
            [USER, ANSWER, AGAIN],
        ),
        ({"prompt": "q", "messages": [USER, ANSWER]}, [USER]),
        ({"prompt": "r", "context": [USER, ANSWER]}, [USER, ANSWER, AGAIN]),
        ({"prompt": "in short: q", "context": "q"}, [{"role": "user", "content": "in short: q"}]),
        ({"prompt": "q", "question": "q", "instruction": " q "}, [USER]),
        ({"context": "q"}, [USER]),
        ({"context": [USER, ANSWER, AGAIN]}, [USER, ANSWER, AGAIN]),
        ({"question": {"id": 1, "full_text": "q"}}, [USER]),
    ],
)
def test_columns_that_say_the_same_or_more(row, prompt):
    assert messages(row) == prompt


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "q", "context": "Once upon a time"}, "prompt and context hold different texts"),
        ({"prompt": "q", "context": ["Once", "upon"]}, "cannot be read into the prompt"),
        ({"prompt": "q", "document": "Once upon a time"}, "prompt and document hold different texts"),
        ({"prompt": "Translate", "input": "Where is it?"}, "prompt and input hold different texts"),
        ({"prompt": "q", "messages": [AGAIN]}, "hold different conversations"),
        ({"prompt": "q", "messages": ["r"]}, "messages is a list"),
        ({"prompt": [SYSTEM, USER], "messages": [OTHER, USER]}, "system messages"),
        ({"prompt": {"id": 1}}, "a struct of id"),
        ({"prompt": 3}, "a number"),
        ({"context": [USER, ANSWER]}, "no prompt after it"),
    ],
)
def test_columns_that_contradict_each_other(row, reason):
    with pytest.raises(RowError, match=reason):
        messages(row)


def test_a_conversation_that_holds_the_answer():
    whole = [USER, ANSWER, AGAIN, {"role": "assistant", "content": "chosen"}]
    for first in ("q", "r"):
        assert messages({"prompt": first, "messages": whole}, ["chosen", "rejected"]) == whole[:-1]
