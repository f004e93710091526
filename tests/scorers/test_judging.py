from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import SettingsError
from curate.scorers.judging import PAIRWISE, POINTWISE, Question, as_text, judge_options
from tests.chat import user

ONE, TWO = Question(POINTWISE, pairwise=False), Question(PAIRWISE, pairwise=True)


@pytest.mark.parametrize(
    ("answer", "rating"),
    [
        ("Rating: 7", 7.0),
        ("It is short, and right.\nRating: 10", 10.0),
        ("**Rating:** 8", 8.0),
        ("Rating = 3.", 3.0),
        ("rating: 6/10", 6.0),
        ('{"rating": 4.5}', 4.5),
        ("Rating: <9>", 9.0),
        ("Rating:\n7\n\n- 3 reasons", 7.0),
        ("My first thought was Rating: 2, but no.\nRating: 5", 5.0),
        ("Rating: 10.0", 10.0),
    ],
)
def test_a_rating_is_read_from_the_last_place_where_it_stands(answer, rating):
    assert ONE.read(answer) == [rating]


@pytest.mark.parametrize(
    "answer",
    [
        *("", "I like it.", "7", "Rating: 0", "Rating: 11", "Rating: 85", "Rating: -3", "Rating: 10.5", "Rating: .5"),
        *("Rating: 7/100", "Rating: <number>", "Rating: 1-10", "Rating: 1 to 10", "Rating: seven", "Rating A: 7"),
        *("Operating: 7", "Ratings vary: 7", "Rating"),
    ],
)
def test_what_is_no_rating_is_not_read(answer):
    assert ONE.read(answer) is None


@pytest.mark.parametrize(
    ("answer", "ratings"),
    [
        ("Rating A: 7\nRating B: 4", [7.0, 4.0]),
        ("Rating B: 4\nRating A: 7", [7.0, 4.0]),
        ("A is better.\n**Rating A:** 9/10\n**Rating B:** 2/10", [9.0, 2.0]),
        ('{"rating_A": 8, "rating_B": 8.5}', [8.0, 8.5]),
        ("Rating A: 3 Rating B: 3\nOn reflection:\nRating A: 5\nRating B: 6", [5.0, 6.0]),
        ("Rating A: 7", None),
        ("Rating A: 7\nRating B: 12", None),
        ("rating a: 7, rating b: 4", None),
        ("Rating: 7\nRating: 4", None),
    ],
)
def test_two_ratings_are_read_or_none(answer, ratings):
    assert TWO.read(answer) == ratings


@given(st.integers(1, 10), st.integers(1, 10), st.text(max_size=30))
def test_the_form_that_is_asked_for_is_always_read(a, b, before):
    assert TWO.read(f"{before}\nRating A: {a}\nRating B: {b}") == [a, b]
    assert ONE.read(f"{before}\nRating: {a}") == [a]


@given(st.text())
def test_any_answer_gives_ratings_in_range_or_none(answer):
    for question in (ONE, TWO):
        ratings = question.read(answer)
        assert ratings is None or all(1 <= rating <= 10 for rating in ratings)


def test_the_question_holds_everything_once():
    text = TWO.ask(user("Why is the sky blue?"), ["because", "who knows"])
    assert [text.count(part) for part in ("Why is the sky blue?", "because", "who knows")] == [1, 1, 1]
    assert text.index("because") < text.index("who knows")
    assert ONE.ask(user("Why {{ so }}?"), ["{% x %} & <b>"]).count("{% x %} & <b>") == 1
    # what it asks for is itself no rating, should a judge repeat it
    assert TWO.read(text) is None
    assert ONE.read(ONE.ask(user("q"), ["r"])) is None


def test_conversations_as_text():
    assert as_text(user("hi")) == "hi"
    turns = [{"role": "system", "content": "s"}, *user("q"), {"role": "assistant", "content": "a"}, *user("r")]
    assert as_text(turns) == "System: s\n\nUser: q\n\nAssistant: a\n\nUser: r"


def test_a_template_of_ones_own_may_walk_the_messages():
    source = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}|{{ prompt }}|{{ response }}"
    assert Question(source, pairwise=False).ask(user("q"), ["r"]) == "<user>q|q|r"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{{ prompt }} {{ response_a }}", "leaves out the response_b"),
        ("{{ response_a }} {{ response_b }}", "leaves out the prompt"),
        ("{{ prompt }} {{ response_a }} {{ response_b }} {{ reply }}", "'reply' is undefined"),
        ("{{ prompt }} {{ response_a }} {{ response_b ", "cannot be used"),
        ("{{ prompt }} {{ response_a }} {{ response_b }} {{ ''.__class__.__mro__ }}", "cannot be used"),
        ("{{ prompt }} {{ response }}", "'response' is undefined"),
    ],
)
def test_templates_that_cannot_work_are_refused(source, told):
    with pytest.raises(SettingsError, match=told) as caught:
        Question(source, pairwise=True)
    assert "{{ response_a }}" in caught.value.hint


def test_options(tmp_path: Path):
    assert judge_options({}).model_dump() == {"template": None, "mode": "auto", "max_tokens": 512}
    (tmp_path / "t.txt").write_text("mine")
    given_ = judge_options({"template": str(tmp_path / "t.txt"), "max_tokens": "9", "mode": "pointwise"})
    assert (given_.source("default"), given_.max_tokens, given_.mode) == ("mine", 9, "pointwise")
    assert judge_options({}).source("default") == "default"
    with pytest.raises(SettingsError, match="cannot be read"):
        judge_options({"template": "nowhere.txt"}).source("default")
    for wrong in ({"templte": "x"}, {"mode": "best"}, {"max_tokens": "0"}):
        with pytest.raises(SettingsError, match=r"judge"):
            judge_options(wrong)
