import pytest

from curate.hygiene.near_responses import NearResponses
from tests.hygiene.helpers import HOSTILE, run
from tests.hygiene.test_near_duplicates import changed, text

FLAG = "near_duplicate_response"


@pytest.mark.parametrize("place", [1, 2])
def test_a_response_to_another_prompt_is_near_on_either_side(place):
    other = ["q", text(2), text(3)]
    other[place] = changed(text(1), 2)
    assert run(NearResponses, [("p", text(1), "b"), tuple(other)]) == {FLAG: [1]}


def test_many_changed_words_are_not_near():
    # 12 of 120 words: about 82 of 154 shingles in common, 0.53
    assert run(NearResponses, [("p", text(1), "b"), ("q", changed(text(1), 12), "b")]) == {FLAG: []}


def test_responses_to_one_prompt_are_not_compared():
    rows = [("p", text(1), changed(text(1), 1)), ("P ", changed(text(1), 2), text(1)), ("p", text(1), text(1))]
    assert run(NearResponses, rows) == {FLAG: []}


def test_equal_responses_are_near_whatever_their_case():
    rows = [("p", text(1), "b"), ("q", "a", text(1).upper()), ("p", text(1), "c"), ("q", text(1), "d")]
    assert run(NearResponses, rows) == {FLAG: [1, 3]}


def test_short_responses_answer_many_prompts():
    assert run(NearResponses, [("p", "Yes, of course I do.", "No."), ("q", "Yes, of course.", "No.")]) == {FLAG: []}


def test_what_is_left_holds_none_and_covers_what_was_dropped():
    """Each response differs from the one before by 2 words, so that the ends of the chain are not near."""
    chain = [text(1)]
    for i in range(8):
        chain.append(changed(chain[-1], 2, seed=i))
    near = run(NearResponses, [(f"prompt {i}", one, "b") for i, one in enumerate(chain)])[FLAG]
    assert 0 < len(near) < 8
    kept = [(f"prompt {i}", one, "b") for i, one in enumerate(chain) if i not in near]
    assert run(NearResponses, kept) == {FLAG: []}


def test_candidates_are_read_all():
    rows = [("p", "a", "b", text(1)), ("q", "a"), ("r", "a", "b", "c", changed(text(1), 2), "e")]
    assert run(NearResponses, rows) == {FLAG: [2]}


def test_hostile_texts():
    assert run(NearResponses, [*HOSTILE, *HOSTILE]) == {FLAG: []}


def test_nothing_read():
    assert run(NearResponses, []) == {}
