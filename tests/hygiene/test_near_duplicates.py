import random
from functools import partial

import pytest

from curate.hygiene import near_duplicates
from curate.hygiene.near_duplicates import NearDuplicates, parts_of_pairs, parts_of_prompts
from tests.hygiene.helpers import HOSTILE, LONG, run

ROWS = partial(NearDuplicates, "near", parts_of_pairs)
PROMPTS = partial(NearDuplicates, "near", parts_of_prompts)
VOCABULARY = [f"w{i}" for i in range(3000)]


def text(seed, words=120):
    return " ".join(random.Random(seed).choices(VOCABULARY, k=words))


def changed(text, words, seed=0):
    """The text with this many words replaced; each replaces up to three of its shingles."""
    pieces = text.split()
    for place in random.Random(seed).sample(range(0, len(pieces), 4), words):
        pieces[place] = "new"
    return " ".join(pieces)


def test_a_few_changed_words_are_near_and_many_are_not():
    # 2 of 120 words: at most 6 of 118 shingles differ, similarity >= 112 / 124 = 0.90; 12 words: about 82 / 154 = 0.53
    sides = [text(2), changed(text(2), 2), changed(text(2), 12)]
    rows = [(text(1), side, text(3)) for side in sides]
    assert run(ROWS, rows) == {"near": [1]}


@pytest.mark.parametrize("part", range(3))
def test_every_part_must_be_near(part):
    one = [text(1), text(2), text(3)]
    other = list(one)
    other[part] = text(4)
    assert run(ROWS, [tuple(one), tuple(other)]) == {"near": []}


def test_exact_duplicates_are_near_ones():
    assert run(ROWS, [("p", "a", "b"), ("P ", "a", "B"), ("p", "b", "a")]) == {"near": [1]}


def test_a_long_system_prompt_in_common_makes_no_questions_near():
    rows = [([("system", text(1, 400)), ("user", question)], "a", "b") for question in ("Why?", "How many are left?")]
    assert run(PROMPTS, rows) == {"near": []}


def test_what_is_left_holds_no_near_duplicates_and_covers_what_was_dropped():
    """Each row differs from the one before by 2 words, so that the ends of the chain are not near."""
    chain = [text(1)]
    for i in range(8):
        chain.append(changed(chain[-1], 2, seed=i))
    near = run(PROMPTS, [(prompt, "a", "b") for prompt in chain])["near"]
    assert 0 < len(near) < 8
    kept = [prompt for i, prompt in enumerate(chain) if i not in near]
    assert run(PROMPTS, [(prompt, "a", "b") for prompt in kept]) == {"near": []}


def test_short_texts_are_near_only_if_their_words_are_equal():
    assert run(PROMPTS, [("2 + 2?", "", ""), ("2 - 2!", "", ""), ("2 + 3?", "", "")]) == {"near": [1]}


def test_chinese_is_compared_by_characters():
    sentence = "今天天气很好我们一起去公园散步然后在湖边喝茶聊天直到太阳下山才慢慢走回家吃晚饭"
    assert run(PROMPTS, [(sentence, "", ""), (sentence + "吧", "", ""), (sentence[::-1], "", "")]) == {"near": [1]}


def test_the_estimate_is_close_to_the_true_similarity():
    rows = [(text(i), "", "") for i in range(60)]
    close = [(changed(text(i), 1), "", "") for i in range(60)]
    assert run(PROMPTS, [*rows, *close]) == {"near": list(range(60, 120))}


def test_many_rows_in_one_band_are_compared_with_few(monkeypatch):
    monkeypatch.setattr(near_duplicates, "MOST_COMPARED", 2)
    rows = [(LONG * 20, f"answer number {i} is {text(i, 3)}", "b") for i in range(12)]
    assert run(ROWS, rows) == {"near": []}


def test_hostile_texts():
    assert run(ROWS, [*HOSTILE, *HOSTILE])["near"] == [1, *range(6, 12)]


def test_nothing_read():
    assert run(ROWS, []) == {}
