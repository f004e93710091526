import json

import pytest

from curate.errors import InputError
from curate.hygiene.leaks import Leaks, evaluation_prompts
from curate.readers import open_source
from tests.hygiene.helpers import HOSTILE, LONG, batches, messages, run

WORDS = LONG.split()  # 23 words


def leaks(*prompts, name="eval"):
    return lambda: Leaks([(name, [messages(one) for one in prompts])])


@pytest.mark.parametrize(
    ("held", "leaked"),
    [
        (WORDS, True),
        (WORDS[:12], True),  # 12 of 23 words are covered
        (WORDS[:11], False),  # 11 of 23
        ([*WORDS[:8], "x", *WORDS[12:20]], True),  # two runs of 8: 16 of 23
        ([*WORDS[:7], "x", *WORDS[7:14], "x", *WORDS[14:21]], False),  # no run of 8
    ],
)
def test_half_of_the_words_must_be_in_runs_of_eight(held, leaked):
    row = (f"Tell me now: {' '.join(held)}!", "a", "b")
    assert run(leaks(LONG), [row]) == {"leaked": [0] if leaked else []}


def test_case_spacing_and_punctuation_do_not_count():
    assert run(leaks(LONG), [(LONG.upper().replace(" ", ",  "), "a", "b")]) == {"leaked": [0]}


def test_a_short_prompt_must_be_the_whole_message():
    turns = [("user", "What is 2+2?"), ("assistant", "4"), ("user", "Why?")]
    rows = [("what is  2+2", "a", "b"), ("And what is 2+2?", "a", "b"), (turns, "a", "b")]
    assert run(leaks("What is 2+2?"), rows) == {"leaked": [0, 2]}


def test_every_turn_of_the_prompt_counts_and_no_response():
    turns = [("user", LONG), ("assistant", "ok"), ("user", "go on")]
    assert run(leaks(LONG), [(turns, "a", "b"), ("q", LONG, LONG)]) == {"leaked": [0]}


def test_only_the_last_message_of_an_evaluation_is_looked_for():
    example = "an example that every question of this evaluation has in common"
    few_shot = [("user", example), ("assistant", "a"), ("user", LONG)]
    rows = [(example, "a", "b"), (LONG, "a", "b")]
    assert run(leaks(few_shot), rows) == {"leaked": [1]}


def test_rows_are_counted_by_evaluation():
    check = Leaks([("one", [messages(LONG)]), ("two", [messages(LONG), messages("Why is that?")])])
    for pairs in batches([(LONG, "a", "b"), ("Why is that", "a", "b"), ("other", "a", "b")], 2):
        check.read(pairs)
    assert dict(check.by_name) == {"one": 1, "two": 2}


def test_hostile_texts():
    assert run(leaks("", "🙂", LONG), HOSTILE) == {"leaked": []}


def test_prompts_of_any_layout_are_read(tmp_path):
    rows = [{"question": "Why?"}, {"question": ""}, {"question": "How?"}]
    (tmp_path / "eval.jsonl").write_text("\n".join(map(json.dumps, rows)))
    prompts = evaluation_prompts(open_source((str(tmp_path / "eval.jsonl"),)))
    assert [prompt[-1]["content"] for prompt in prompts] == ["Why?", "How?"]


def test_an_evaluation_without_prompts_is_refused(tmp_path):
    (tmp_path / "eval.jsonl").write_text('{"question": ""}\n')
    with pytest.raises(InputError, match="No row has a prompt"):
        evaluation_prompts(open_source((str(tmp_path / "eval.jsonl"),)))
