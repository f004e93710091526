from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import jinja2
import pytest

from curate.backends import ModelSpec, Sample, Sampling
from curate.backends.fake import FakeTokenizer
from curate.errors import ModelError
from curate.schema import Message
from curate.scorers import JudgedPair, ResponseItem, Scored
from curate.scorers import judge as judge_module
from curate.scorers.judge import Judge, check_verdicts
from curate.scorers.judging import Question
from tests.chat import user

PAIR_TEMPLATE = "{{ prompt }}|{{ response_a }}|{{ response_b }}"
ONE_TEMPLATE = "{{ prompt }}|{{ response }}"


class Spelling(FakeTokenizer):
    """Ids are characters, so that a stand-in for a model can read and write."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[ord(c) for c in text] for text in texts]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        return ["".join(map(chr, row)) for row in ids]

    def template(self, messages: Sequence[Message], generation_prompt: bool) -> str:
        if "refuse me" in messages[0]["content"]:
            raise jinja2.TemplateError("no")
        return messages[0]["content"]


class Scripted:
    """Answers by a table from question to answer."""

    notes: tuple[str, ...] = ()
    cached_tokens = None

    def __init__(self, answers: dict[str, str], padding_free: bool = False) -> None:
        self.answers, self.padding_free = answers, padding_free
        self.calls: list[list[str]] = []
        self.closed = False

    def generate(self, prompts: Sequence[Any], seeds: Sequence[int], sampling: Sampling) -> list[Sample]:
        assert sampling.temperature == 0
        self.calls.append(Spelling().decode(prompts))
        answers = [self.answers.get(question, "no idea") for question in self.calls[-1]]
        return [Sample([ord(c) for c in answer], "stop", 0.0) for answer in answers]

    def facts(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        self.closed = True


def judge(
    monkeypatch: pytest.MonkeyPatch, backend: Scripted, pairwise: bool, length: int | None = None, budget: int = 10_000
) -> Judge:
    monkeypatch.setattr(judge_module, "open_generation", lambda spec: backend)
    question = Question(PAIR_TEMPLATE if pairwise else ONE_TEMPLATE, pairwise)
    sampling = Sampling(temperature=0.0, max_tokens=20)
    made = Judge("reward.j", ModelSpec.of("x"), Spelling(), question, sampling, length, budget, {"model": "x"})
    made.open()
    return made


def rows(batches: Sequence[Scored]) -> dict[int, dict[str, Any]]:
    return {
        key: {name: values[i] for name, values in batch.columns.items()}
        for batch in batches
        for i, key in enumerate(batch.keys)
    }


def pair(key: int, first: str, second: str) -> JudgedPair:
    return JudgedPair(key, user("q"), (first, second))


def test_a_reward_is_the_mean_of_both_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        # good is A: 8, bad is B: 3. Then bad is A: 5, good is B: 9. good: (8 + 9) / 2, bad: (3 + 5) / 2.
        "q|good|bad": "Rating A: 8\nRating B: 3",
        "q|bad|good": "Rating A: 5\nRating B: 9",
        # whichever stands first is liked: 7 and 6 against 6 and 7
        "q|x|y": "Rating A: 7 Rating B: 5",
        "q|y|x": "Rating A: 8 Rating B: 6",
        # one order undecided is no disagreement
        "q|m|n": "Rating A: 4 Rating B: 4",
        "q|n|m": "Rating A: 2 Rating B: 6",
    }
    made = judge(monkeypatch, Scripted(answers), pairwise=True)
    found = rows(list(made.score([pair(4, "good", "bad"), pair(5, "x", "y"), pair(6, "m", "n")], frozenset())))
    assert found == {
        4: {"chosen": 8.5, "rejected": 4.0, "verdict": "rated", "answer": None},
        5: {"chosen": 6.5, "rejected": 6.5, "verdict": "orders_disagree", "answer": None},
        6: {"chosen": 5.0, "rejected": 3.0, "verdict": "rated", "answer": None},
    }
    assert made.schema.names == ["chosen", "rejected", "verdict", "answer"]


def test_swapping_the_sides_swaps_the_rewards(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"q|a|b": "Rating A: 8 Rating B: 3", "q|b|a": "Rating A: 5 Rating B: 9"}
    found = rows(
        list(judge(monkeypatch, Scripted(answers), True).score([pair(0, "a", "b"), pair(1, "b", "a")], frozenset()))
    )
    assert (found[0]["chosen"], found[0]["rejected"]) == (found[1]["rejected"], found[1]["chosen"])


def test_one_unreadable_answer_makes_both_ratings_null(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"q|a|b": "Rating A: 8 Rating B: 3", "q|b|a": "Both are fine, A: 5."}
    found = rows(list(judge(monkeypatch, Scripted(answers), True).score([pair(0, "a", "b")], frozenset())))
    assert found == {0: {"chosen": None, "rejected": None, "verdict": "unreadable", "answer": "Both are fine, A: 5."}}


def test_single_responses(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Scripted({"q|a": "Rating: 8", "q|b": "hm"})
    made = judge(monkeypatch, backend, pairwise=False)
    items = [ResponseItem(i, user("q"), text) for i, text in enumerate("ab")]
    assert rows(list(made.score(items, frozenset()))) == {
        0: {"reward": 8.0, "verdict": "rated", "answer": None},
        1: {"reward": None, "verdict": "unreadable", "answer": "hm"},
    }
    made.close()
    assert backend.closed


def test_what_cannot_be_asked_is_null_and_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Scripted({"q|a|b": "Rating A: 1 Rating B: 2", "q|b|a": "Rating A: 1 Rating B: 2"})
    made = judge(monkeypatch, backend, pairwise=True, length=20)
    items = [pair(0, "a", "b"), pair(1, "a", "b" * 30), pair(2, "refuse me", "b")]
    found = rows(list(made.score(items, frozenset())))
    assert [found[i]["verdict"] for i in range(3)] == ["orders_disagree", "too_long", "refused"]
    assert [found[i]["chosen"] for i in range(3)] == [1.5, None, None]
    assert backend.calls == [["q|a|b", "q|b|a"]]


def test_only_questions_of_one_length_are_asked_together_where_padding_changes_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items = [pair(i, "a" * (1 + i % 3), "b" * 4) for i in range(9)]
    whole = rows(list(judge(monkeypatch, Scripted({}), True).score(items, frozenset())))
    careful = Scripted({}, padding_free=True)
    assert rows(list(judge(monkeypatch, careful, True).score(items, frozenset()))) == whole
    assert all(len({len(question) for question in call}) == 1 for call in careful.calls)
    assert len(careful.calls) == 3


def test_batches_are_the_same_when_a_run_is_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [pair(i, "a" * (1 + i % 7), "b" * (1 + i % 5)) for i in range(30)]
    made = judge(monkeypatch, Scripted({}), True, budget=300)
    batches = list(made.score(items, frozenset()))
    assert len(batches) > 4
    # two questions a pair, each with 20 tokens of answer
    assert all(len(b.keys) * 2 * (3 + 20) <= 300 for b in batches)
    done = {key for batch in batches[:3] for key in batch.keys}
    assert [b.keys for b in made.score(items, done)] == [b.keys for b in batches[3:]]


def test_what_is_told_of_the_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = judge(monkeypatch, Scripted({}), True)
    counts = Counter({"rated": 5, "orders_disagree": 2, "unreadable": 3, "too_long": 1})
    notes = check_verdicts(made, counts, "well\n" + "no " * 90)
    assert [number in note for number, note in zip("312", notes, strict=True)] == [True] * 3
    assert "no no" in notes[0]
    assert len(notes[0]) < 250
    assert check_verdicts(made, Counter({"rated": 5}), None) == []
    with pytest.raises(ModelError, match="rated none of 4 pairs") as caught:
        check_verdicts(made, Counter({"unreadable": 4}), "hm")
    assert "hm" in caught.value.what
    assert "judge.template" in caught.value.hint


def test_facts_tell_templates_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = judge(monkeypatch, Scripted({}), True), judge(monkeypatch, Scripted({}), False)
    assert one.facts()["model"] == "x"
    assert one.facts()["max_tokens"] == 20
    assert one.facts() != two.facts()
