import pytest

from curate.errors import RowError
from curate.readers.sides import is_conversation, mostly, prompt_value, with_system

USER = {"role": "user", "content": "q"}


def test_conversations_open_with_the_user_or_the_system():
    assert is_conversation([USER]) and is_conversation('[{"from": "human", "value": "q"}]')
    assert not any(is_conversation(value) for value in ([], [{"role": "assistant"}], "text", None, [3], USER))


def test_prompt_aliases():
    assert prompt_value({"prompt": None, "question": "q", "input": "i"}) == "q"
    assert prompt_value({"input": "i"}) == "i"
    assert prompt_value({"instruction": "do", "input": ""}) == "do"
    assert prompt_value({"instruction": "do", "input": "this"}) == "do\nthis"
    assert prompt_value({}) is None


def test_a_history_is_not_dropped_in_silence():
    with pytest.raises(RowError, match="history"):
        prompt_value({"instruction": "do", "history": [["a", "b"]]})


def test_system_text_goes_in_front_once():
    system = {"role": "system", "content": "s"}
    assert with_system({"system": "s"}, (USER,)) == (system, USER)
    assert with_system({"system": "t"}, (system, USER)) == (system, USER)
    assert with_system({"system": " "}, (USER,)) == with_system({"system": 3}, (USER,)) == (USER,)


def test_half_of_the_rows_with_both_sides_must_fit():
    rows = [{"chosen": n, "rejected": n} for n in (1, 1, 0, 0)] + [{"chosen": None}]
    assert mostly(rows, lambda _, chosen, __: chosen == 1)
    assert not mostly(rows + rows[2:3], lambda _, chosen, __: chosen == 1)
    assert not mostly([], lambda *_: True)
