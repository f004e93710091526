from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import jinja2
import pytest

from curate.backends import ModelSpec
from curate.backends.fake import FakeBackend, FakeTokenizer
from curate.errors import ModelError
from curate.render import Renderer
from curate.schema import Message
from curate.scorers import ResponseItem, Scored, Shares
from curate.scorers.model_scorers import ModelScorer, check_borders
from curate.settings.models import Truncation
from tests.chat import user

Kind = Literal["logps", "reward"]
ITEMS = [ResponseItem(100 + i, user(f"question {i // 2}"), "word " * (i % 7) + str(i)) for i in range(30)]


class NoSystem(FakeTokenizer):
    """Refuses a system turn, as many templates do."""

    def template(self, messages: Sequence[Message], generation_prompt: bool) -> str:
        if messages[0]["role"] == "system":
            raise jinja2.TemplateError("no system turn")
        return super().template(messages, generation_prompt)


def scorer(
    kind: Kind = "logps", length: int | None = None, truncation: Truncation = "keep_start", budget: int | None = 64
) -> ModelScorer:
    made = ModelScorer(kind, "policy", ModelSpec.of("fake:7"), Renderer(NoSystem(), length, truncation), budget)
    made.open()
    return made


def collect(batches: Sequence[Scored], column: str) -> dict[int, Any]:
    return {k: v for batch in batches for k, v in zip(batch.keys, batch.columns[column], strict=True)}


@pytest.mark.parametrize("kind", ["logps", "reward"])
@pytest.mark.parametrize("budget", [1, 64, None])
def test_every_key_once_with_the_backends_own_number(kind: Kind, budget: int | None) -> None:
    made = scorer(kind, budget=budget)
    batches = list(made.score(ITEMS, frozenset()))
    assert sorted(k for batch in batches for k in batch.keys) == [item.key for item in ITEMS]
    rows = Renderer(FakeTokenizer(), None, "keep_start").render([(i.prompt, i.response) for i in ITEMS])
    backend = FakeBackend(ModelSpec.of("fake:7"))
    alone = backend.logps(rows) if kind == "logps" else backend.rewards([row.ids for row in rows])
    assert collect(batches, kind) == {i.key: n for i, n in zip(ITEMS, alone, strict=True)}
    if kind == "logps":
        counted = collect(batches, "tokens")
        assert counted == {i.key: r.response_tokens for i, r in zip(ITEMS, rows, strict=True)}
    assert sum(batch.tokens for batch in batches) == sum(len(row.ids) for row in rows)


@pytest.mark.parametrize("kind", ["logps", "reward"])
def test_columns_are_those_of_the_schema(kind: Kind) -> None:
    made = scorer(kind)
    for batch in made.score(ITEMS, frozenset()):
        assert set(batch.columns) == set(made.schema.names)
        assert all(len(values) == len(batch.keys) for values in batch.columns.values())


def test_a_resumed_run_repeats_the_very_batches() -> None:
    made = scorer()
    whole = list(made.score(ITEMS, frozenset()))
    assert len(whole) > 3
    done = {*whole[0].keys, *whole[2].keys, whole[1].keys[0]}
    assert list(made.score(ITEMS, done)) == [whole[1], *whole[3:]]
    assert list(made.score(ITEMS, {item.key for item in ITEMS})) == []


def test_what_the_template_refuses_is_null() -> None:
    bad = ResponseItem(1, [{"role": "system", "content": "s"}, *user("q")], "answer")
    good = ResponseItem(2, user("q"), "answer")
    for kind in ("logps", "reward"):
        batches = list(scorer(kind).score([bad, good], frozenset()))  # type: ignore[arg-type]
        numbers = collect(batches, kind)
        assert numbers[1] is None
        assert numbers[2] is not None
        assert collect(batches, "border") == {1: "refused", 2: "exact"}


def test_what_is_dropped_for_its_length_is_null() -> None:
    long, fits = ResponseItem(1, user("q"), "word " * 50), ResponseItem(2, user("q"), "word")
    batches = list(scorer(length=20, truncation="drop").score([long, fits], frozenset()))
    assert collect(batches, "logps")[1] is collect(batches, "tokens")[1] is None
    assert collect(batches, "logps")[2] is not None
    assert collect(batches, "truncated") == {1: True, 2: False}


def test_a_response_cut_away_whole_has_no_logps() -> None:
    item = ResponseItem(1, user("word " * 50), "answer")
    batches = list(scorer(length=20).score([item], frozenset()))
    assert collect(batches, "logps") == collect(batches, "tokens") == {1: None}
    assert collect(batches, "truncated") == {1: True}


def test_a_response_cut_away_whole_has_no_reward() -> None:
    prompt = user("word " * 50)
    items = [ResponseItem(1, prompt, "good answer"), ResponseItem(2, prompt, "bad")]
    batches = list(scorer("reward", length=20).score(items, frozenset()))
    assert collect(batches, "reward") == {1: None, 2: None}


def test_an_empty_response_has_a_reward() -> None:
    batches = list(scorer("reward").score([ResponseItem(1, user("q"), "")], frozenset()))
    assert collect(batches, "reward")[1] is not None


def test_nothing_measurable_still_yields_every_key() -> None:
    bad = [ResponseItem(i, [{"role": "system", "content": "s"}], "a") for i in range(5)]
    assert collect(list(scorer().score(bad, frozenset())), "logps") == dict.fromkeys(range(5))
    assert list(scorer().score([], frozenset())) == []


def test_facts_are_the_same_before_and_after_open_and_hold_the_limits() -> None:
    made = ModelScorer(
        "reward",
        "rm",
        ModelSpec.of("fake:1"),
        Renderer(FakeTokenizer(), 9, "drop"),
        identity={"model": "m", "hash": "h"},
    )
    before = made.facts()
    notes = made.open()
    assert made.facts() == before
    assert {"model": "m", "hash": "h", "max_length": 9, "truncation": "drop"}.items() <= before.items()
    assert notes == [f"{made.title}: fake:1 is no model: its numbers are made up."]
    assert "fake:1" in made.title
    made.close()
    assert made._backend is None
    made.close()


@pytest.mark.parametrize("kind", ["logps", "reward"])
def test_a_copy_for_another_process_measures_the_batches_of_the_first(kind: Kind) -> None:
    made = scorer(kind, length=20)
    copy = pickle.loads(pickle.dumps(made.on("cuda:1", 3)))
    assert isinstance(copy, Shares)
    assert copy.spec == ModelSpec.of("fake:7", "cuda:1", threads=3)
    assert copy.renderer is None, "tokenizers stay at home"
    copy.open()
    batches = list(made.batches(made.prepare(ITEMS), copy.cut()))
    assert [copy.measure(batch) for batch in batches] == list(made.score(ITEMS, frozenset()))


def test_check_borders() -> None:
    assert check_borders("m", Counter(), "") == []
    assert check_borders("m", Counter(exact=3), "") == []
    notes = check_borders("m", Counter(exact=3, refused=2, split=5, spanned=6, common_prefix=4), "why")
    said = ["refused 2 responses", "for 5 responses", "for 6 responses", "for 4 responses"]
    assert [text in note for text, note in zip(said, notes, strict=True)] == [True] * 4
    assert "tokenised apart, as in generation" in notes[1]
    with pytest.raises(ModelError, match="refuses every conversation: why"):
        check_borders("m", Counter(refused=2), "why")
