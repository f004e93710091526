from __future__ import annotations

import math
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.demo import lexicon
from curate.demo.gold import GOLD_MAX, GOLD_MIN, gold_reward, items_named, read_request
from curate.demo.lexicon import FACTS
from curate.demo.world import make_pairs, make_prompts, render, world_hash

ASK = [{"role": "user", "content": "Name three fruits that are red."}]
AS_LIST = [{"role": "system", "content": lexicon.LIST_RULES[0]}, *ASK]
FOLLOW_UP = [
    *ASK,
    {"role": "assistant", "content": "Here are apple, cherry and raspberry."},
    {"role": "user", "content": "Thanks! Now two that are green, please."},
]
GOLDEN = [
    # 3 right of 3 + polite 0.1 + a sentence 0.2
    (ASK, "Here are three fruits that are red: apple, cherry and raspberry.", 1.3),
    # 2/3 right - 0.5 * 1 wrong / 3 + 0.2 for the sentence; "You" is not polite
    (ASK, "You could pick apple, cherry and lime.", 2 / 3 - 0.5 / 3 + 0.2),
    # 2/3 right - 0.5 * 1 repeat / 3 + 0.1 + 0.2; apples count as apple
    (ASK, "Sure! Apples, cherry and apple.", 2 / 3 - 0.5 / 3 + 0.3),
    # 3/3, a fourth right item is surplus: - 0.5 / 3; no polite opening, no form
    (ASK, "apple, cherry, raspberry, cranberry", 1 - 0.5 / 3),
    # a refusal: 0 right + 0.2 for the sentence - 0.3 for naming no item
    (ASK, "Sorry, I cannot help with that.", -0.1),
    # nothing at all: - 0.3
    (ASK, "", -0.3),
    # 3 right, but a sentence where the system message demands a list: only the polite 0.1 is added
    (AS_LIST, "Here are apple, cherry and raspberry.", 1.1),
    (AS_LIST, "Here are\n1. apple\n2. cherry\n3. raspberry", 1.3),
    # 22 words that are not items are 10 over the 12 free ones: 1 + 0 + 0.2 - 0.2
    (ASK, "Apple, cherry, raspberry " + "la " * 22 + ".", 1.0),
    # the category comes from the turn before: 2 of 2 + 0.1 + 0.2
    (FOLLOW_UP, "Gladly! My answer is kiwi and lime.", 1.3),
    # an unknown request asks for one item and none is right: - min(1, 0.5 * 1 / 1) + 0.2
    ([{"role": "user", "content": "How are you?"}], "Apple.", -0.3),
]


@pytest.mark.parametrize(("prompt", "text", "points"), GOLDEN)
def test_gold_reward_by_hand(prompt: list[dict[str, str]], text: str, points: float) -> None:
    assert gold_reward(prompt, text) == pytest.approx(points, abs=1e-8)


@given(st.lists(st.text(), max_size=3), st.text())
def test_gold_reward_is_total_bounded_and_pure(turns: list[str], text: str) -> None:
    prompt = [{"role": "user", "content": turn} for turn in turns]
    points = gold_reward(prompt, text)
    assert math.isfinite(points)
    assert GOLD_MIN <= points <= GOLD_MAX
    assert points == gold_reward(prompt, text)


@given(st.lists(st.sampled_from([*FACTS["fruits"]["that are red"], "lime", "cow", "hello", "1. ", "\n", ". "])))
def test_gold_reward_stays_in_its_range_on_answers(words: list[str]) -> None:
    assert GOLD_MIN <= gold_reward(ASK, " ".join(words)) <= GOLD_MAX


def test_no_phrase_names_an_item_and_no_item_stands_twice() -> None:
    items = [item for traits in FACTS.values() for group in traits.values() for item in group]
    assert len(items) == len(set(items))
    phrases = [*lexicon.OPENERS, *lexicon.PURPOSES, *lexicon.FILLERS, *lexicon.REFUSALS, *lexicon.REQUESTS]
    phrases += [*lexicon.POLITE_LEADS, *lexicon.PLAIN_LEADS, *lexicon.CURT_LEADS, *lexicon.FOLLOW_UPS]
    phrases += [f"{category} {trait}" for category, traits in FACTS.items() for trait in traits]
    assert [items_named(phrase) for phrase in phrases] == [[]] * len(phrases)


def test_prompts_are_many_understood_and_other_for_other_seeds() -> None:
    prompts = make_prompts(4_000, 1)
    texts = {render(prompt) for prompt in prompts}
    assert len(texts) >= 3_500
    assert all(read_request(prompt) for prompt in prompts)
    assert 0.15 < sum(len(prompt) >= 3 for prompt in prompts) / 4_000 < 0.35
    assert 0.25 < sum(prompt[0]["role"] == "system" for prompt in prompts) / 4_000 < 0.42
    assert len(texts & {render(prompt) for prompt in make_prompts(4_000, 2)}) < 0.1 * len(texts)


def test_pairs_have_the_layout_and_the_noise_promised() -> None:
    pairs = make_pairs(4_000, 3)
    for pair in pairs:
        assert pair["chosen"][:-1] == pair["rejected"][:-1]
        assert pair["prompt"] == pair["chosen"][-2]["content"]
        assert 0 <= pair["score_rejected"] <= pair["score_chosen"] <= 10
        for side in ("chosen", "rejected"):
            text = pair[side][-1]["content"]
            assert 5 <= len(re.findall(r"\w+", text)) <= 75
            assert pair[f"gold_{side}"] == gold_reward(pair[side][:-1], text)
        assert pair["chosen"][-1] != pair["rejected"][-1]
    unequal = [pair for pair in pairs if pair["gold_chosen"] != pair["gold_rejected"]]
    wrong = sum(pair["gold_chosen"] < pair["gold_rejected"] for pair in unequal) / len(unequal)
    assert 0.10 < wrong < 0.15


def test_same_seed_same_world() -> None:
    assert make_pairs(50, 7) == make_pairs(50, 7) != make_pairs(50, 8)
    assert make_prompts(50, 7) == make_prompts(50, 7)
    assert world_hash() == world_hash()


def test_importing_the_world_does_not_import_torch() -> None:
    code = "import sys, curate.demo.world, curate.demo.train; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
