import pytest

from curate.errors import InputError
from curate.readers import detect, prompts_layout

USER, GOOD = {"role": "user", "content": "q"}, {"role": "assistant", "content": "g"}


def pair(chosen, rejected, prompt="What is the time?"):
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (pair(str([USER, GOOD]), str([USER, GOOD])), "as Python prints them"),
        (
            pair("[{'content': 'q', 'role': 'user'}\n {'content': 'g', 'role': 'assistant'}]", "x"),
            "as Python prints them",
        ),
        (pair("['a' 'b']", "['c' 'd']"), "as Python prints them"),
        (pair("x", "y", prompt=str([USER])), "prompt holds messages"),
        ({"prompt": "q", "responses": "['a', 'b']"}, "responses holds lists"),
        (pair("What is the time? Noon.", "What is the time?\nLate."), "begin with the text of their prompt"),
        ({"prompt": "What is the time?", "responses": ["What is the time? A"] * 2}, "begin with the text"),
        (pair("Noon.<|im_end|>", "Late.<|im_end|>\n"), r"end with <\|im_end\|>"),
        (pair([GOOD | {"content": "Noon.</s>"}], [GOOD | {"content": "Late.</s>"}]), "end with </s>"),
        ({"chosen": "x", "rejected": "y"}, "but no prompt"),
        ({"prompt": "q", "completion": "a", "label": True}, "not paired"),
        ({"prompt": "q", "response": "a", "helpfulness": 3}, "not paired"),
        ({"prompt": "q", "completions": ["a", "b"], "labels": [True, False]}, "steps of one answer"),
        ({"messages": [USER, GOOD]}, "nothing to compare"),
        ({"prompt": "q", "reward_model": {"style": "rule"}}, "no responses that are recognised"),
    ],
)
def test_tables_that_would_be_read_wrong_are_refused(row, told):
    with pytest.raises(InputError, match=told) as caught:
        detect([row])
    assert caught.value.where and caught.value.hint


@pytest.mark.parametrize(
    "row",
    [
        pair("['a', 'b']", "no list"),
        pair("Hi! What is up?", "Hi you", prompt="Hi"),
        pair("What is the time? Noon.", "Noon."),
        pair("Noon.<|im_end|>", "Noon."),
        pair("<s>Noon.</s>", "<s>Late.</s>"),
        pair("[1, 2]", '{"a": 1}'),
        {
            "prompt": [{"role": "user", "content": "Say it again"}],
            "chosen": "Say it again",
            "rejected": "Say it again!",
        },
    ],
)
def test_texts_that_only_look_alike_are_read(row):
    assert detect([row]).parse(row).responses == (row["chosen"], row["rejected"])


def test_end_markers_after_a_prompt_in_markup_are_cut():
    row = pair("Noon.<|im_end|>", "Late.<|im_end|>\n", prompt="<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n")
    assert detect([row]).parse(row).responses == ("Noon.", "Late.")


def test_a_few_such_rows_do_not_refuse_the_table():
    good, bad = pair("Noon.", "Late."), pair("What is the time? Noon.", "What is the time? Late.")
    assert detect([good, good, bad]).parse(bad).responses == (bad["chosen"], bad["rejected"])


def test_printed_prompts_are_refused_for_generation_too():
    with pytest.raises(InputError, match="as Python prints them"):
        prompts_layout([{"prompt": str([USER])}])
