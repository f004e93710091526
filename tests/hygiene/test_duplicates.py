import json

from hypothesis import given
from hypothesis import strategies as st

from curate.hygiene import Rows
from curate.hygiene.duplicates import Duplicates
from tests.examples import examples
from tests.hygiene.helpers import HOSTILE, LONG, run

NONE: dict[str, list[int]] = {"duplicate": [], "duplicate_prompt": [], "repeated_response": [], "contradiction": []}


def test_all_but_the_first_of_equal_rows_are_flagged():
    rows = [("p", "a", "b"), ("q", "a", "b"), (" P ", "A", "b"), ("p", "a", "b")]
    assert run(Duplicates, rows) == NONE | {"duplicate": [2, 3], "duplicate_prompt": [2, 3]}


def test_a_prompt_with_other_responses_is_a_duplicate_prompt_only():
    assert run(Duplicates, [("p", "a", "b"), ("p", "a", "c")]) == NONE | {"duplicate_prompt": [1]}


def test_the_whole_conversation_is_the_prompt():
    one = [("system", "be kind"), ("user", "p")]
    other = [("system", "be blunt"), ("user", "p")]
    turned = [("user", "be kind"), ("user", "p")]
    assert run(Duplicates, [(one, "a", "b"), (other, "a", "b"), (turned, "a", "b")]) == NONE


def test_prompts_that_call_a_tool_with_other_arguments_are_other_prompts():
    def prompt(word):
        call = json.dumps([{"function": {"name": "look_up", "arguments": {"word": word}}}])
        said = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "", "tool_calls": call}]
        return [*said, {"role": "tool", "content": "found"}]

    check, pairs = Duplicates(), Rows(0, [prompt("sky"), prompt("sea"), prompt("sky")], [["a", "b"]] * 3)
    check.read(pairs)
    assert check.found(lambda: iter([pairs]))["duplicate"].tolist() == [False, False, True]


def test_rows_that_prefer_opposite_sides_contradict_each_other():
    rows = [("p", "a", "b"), ("p", "B", "a"), ("q", "b", "a"), ("p", "b", "c")]
    assert run(Duplicates, rows) == NONE | {"contradiction": [0, 1], "duplicate_prompt": [1, 3]}


def test_equal_sides_contradict_nothing():
    assert run(Duplicates, [("p", "a", "a"), ("q", "a", "b")]) == NONE


def test_a_long_response_to_another_prompt_is_repeated_on_either_side():
    rows = [("p", LONG, "x"), ("q", "y", LONG.upper()), ("p", LONG, "z"), ("r", "Yes, of course.", "w")]
    assert run(Duplicates, [*rows, ("s", "Yes, of course.", "v")]) == NONE | {
        "repeated_response": [1],
        "duplicate_prompt": [2],
    }


def test_hostile_texts():
    assert run(Duplicates, [*HOSTILE, *HOSTILE])["duplicate"] == [1, *range(6, 12)]


def test_nothing_read():
    assert run(Duplicates, []) == {}


TEXTS = st.sampled_from(["a", "A", " a ", "b", LONG, LONG.upper(), ""])


@examples(0.5)
@given(st.lists(st.tuples(st.sampled_from(["p", "P ", "q"]), TEXTS, TEXTS), max_size=8))
def test_each_flag_is_what_its_meaning_says(rows):
    plainly = [tuple(" ".join(text.lower().split()) for text in one) for one in rows]
    expected: dict[str, list[int]] = {flag: [] for flag in NONE}
    for i, (prompt, chosen, rejected) in enumerate(plainly):
        earlier = plainly[:i]
        long = {text for text in (chosen, rejected) if len(text.split()) >= 5}
        if (prompt, chosen, rejected) in earlier:
            expected["duplicate"].append(i)
        if prompt in [one[0] for one in earlier]:
            expected["duplicate_prompt"].append(i)
        if chosen != rejected and (prompt, rejected, chosen) in plainly:
            expected["contradiction"].append(i)
        owners = [next(one[0] for one in plainly if text in one[1:]) for text in long]
        if any(owner != prompt for owner in owners):
            expected["repeated_response"].append(i)
    assert run(Duplicates, rows) == (expected if rows else {})
