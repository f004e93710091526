from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from curate.backends import ModelSpec, OutOfMemory, Sample, Sampling
from curate.backends.fake import FakeBackend, FakeTokenizer
from curate.errors import ModelError
from curate.render import render_prompts
from curate.scorers import DrawItem, Scored, Shares
from curate.scorers.generation import Generation
from curate.tokens import HubTokenizer
from tests.chat import user

PROMPTS = [user("question " * (1 + i % 4)) for i in range(8)]
ITEMS = [
    DrawItem(50 + 3 * i + j, p, 10 * i + j, t) for i, p in enumerate(PROMPTS) for j, t in enumerate((0.0, 1.0, 0.7))
]
SAMPLING = Sampling(max_tokens=14, top_p=0.9)


def writer(budget: int | None = 64) -> Generation:
    made = Generation("responses-0", "fake:7", ModelSpec.of("fake:7"), FakeTokenizer(), SAMPLING, {}, budget)
    made.open()
    return made


def collect(batches: Sequence[Scored]) -> dict[int, dict[str, Any]]:
    names = ("response", "finish_reason", "tokens", "logps")
    return {
        key: {name: batch.columns[name][i] for name in names} for batch in batches for i, key in enumerate(batch.keys)
    }


@pytest.mark.parametrize("budget", [1, 64, None])
def test_every_key_once_with_the_backends_own_draw(budget: int | None) -> None:
    batches = list(writer(budget).score(ITEMS, frozenset()))
    assert sorted(key for batch in batches for key in batch.keys) == [item.key for item in ITEMS]
    found = collect(batches)
    backend, tokenizer = FakeBackend(ModelSpec.of("fake:7")), FakeTokenizer()
    for item, ids in zip(ITEMS, render_prompts(tokenizer, [i.prompt for i in ITEMS]), strict=True):
        sample = backend.generate([ids], [item.seed], Sampling(item.temperature, 0.9, 14))[0]
        said = sample.ids[:-1] if sample.finish_reason == "stop" else sample.ids
        assert found[item.key] == {
            "response": tokenizer.decode([said])[0],
            "finish_reason": sample.finish_reason,
            "tokens": len(sample.ids),
            "logps": sample.logps,
        }
    assert {row["finish_reason"] for row in found.values()} == {"stop", "length"}
    assert not any(row["response"].endswith("\n") for row in found.values())
    assert sum(batch.tokens for batch in batches) == sum(row["tokens"] for row in found.values())


def test_a_resumed_run_repeats_the_same_batches() -> None:
    batches = list(writer().score(ITEMS, frozenset()))
    done = {key for batch in batches[::2] for key in batch.keys}
    rest = list(writer().score(ITEMS, done))
    assert [batch.keys for batch in rest] == [batch.keys for batch in batches[1::2]]
    assert list(writer().score(ITEMS, {item.key for item in ITEMS})) == []


def test_batches_have_one_temperature_and_stay_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, Sampling]] = []
    generate = FakeBackend.generate

    def watched(self: FakeBackend, prompts: Any, seeds: Any, sampling: Sampling) -> list[Sample]:
        calls.append((max(len(p) for p in prompts) * len(prompts), sampling))
        return generate(self, prompts, seeds, sampling)

    monkeypatch.setattr(FakeBackend, "generate", watched)
    list(writer(120).score(ITEMS, frozenset()))
    assert {sampling.temperature for _, sampling in calls} == {0.0, 0.7, 1.0}
    assert all(sampling.top_p == 0.9 and sampling.max_tokens == 14 for _, sampling in calls)
    assert all(size <= 120 for size, _ in calls)
    assert len(calls) < len(ITEMS)


def test_only_prompts_of_one_length_share_a_batch_where_padding_changes_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeBackend, "padding_free", True)
    tokenizer = FakeTokenizer()
    lengths = {item.key: len(render_prompts(tokenizer, [item.prompt])[0]) for item in ITEMS}
    batches = list(writer(None).score(ITEMS, frozenset()))
    assert all(len({lengths[key] for key in batch.keys}) == 1 for batch in batches)
    assert len(batches) == 3 * 4


def test_memory_running_out_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = collect(list(writer(None).score(ITEMS, frozenset())))
    generate = FakeBackend.generate

    def scarce(self: FakeBackend, prompts: Any, seeds: Any, sampling: Sampling) -> list[Sample]:
        if len(prompts) > limit:
            raise OutOfMemory("full")
        return generate(self, prompts, seeds, sampling)

    monkeypatch.setattr(FakeBackend, "generate", scarce)
    limit = 3
    assert collect(list(writer(None).score(ITEMS, frozenset()))) == whole
    limit = 0
    with pytest.raises(ModelError, match="alone"):
        list(writer(None).score(ITEMS, frozenset()))


def test_facts_name_the_sampling() -> None:
    made = Generation("r", "m", ModelSpec.of("fake:7"), FakeTokenizer(), SAMPLING, {"seed": 3})
    assert made.facts() == {"seed": 3, "top_p": 0.9, "max_tokens": 14, "stop_ids": []}
    assert made.open() == ["responses of 'm': fake:7 is no model: its numbers are made up."]
    made.close()


def test_a_copy_for_another_process_brings_its_tokenizer(demo_models: Path) -> None:
    tokenizer = HubTokenizer(str(demo_models / "policy"))
    made = Generation(
        "responses-0", "policy", ModelSpec.of("policy", dtype="float32"), tokenizer, SAMPLING, {"a": 1}, 64
    )
    copy = pickle.loads(pickle.dumps(made.on("cuda:3", None)))
    assert copy.spec == ModelSpec.of("policy", "cuda:3", "float32")
    assert copy.facts() == made.facts()
    ids = tokenizer.encode(["hello there"])
    assert copy.tokenizer.decode(ids) == ["hello there"]


def test_a_copy_measures_the_batches_of_the_first() -> None:
    made = writer()
    copy = pickle.loads(pickle.dumps(made.on("cpu", 2)))
    copy.open()
    assert isinstance(copy, Shares)
    batches = list(made.batches(ITEMS, copy.cut()))
    assert [copy.measure(batch) for batch in batches] == list(made.score(ITEMS, frozenset()))
    assert all(batch.tokens == sum(len(ids) + 14 for ids, _ in batch.rows) for batch in batches)
