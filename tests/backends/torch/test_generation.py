from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from curate.backends import ModelSpec, OutOfMemory, Sample, Sampling
from curate.backends.open import open_generation
from curate.backends.torch.generation import Reading, TorchGeneration, end_ids, pick
from curate.errors import ModelError
from curate.render import Rendered
from curate.scorers.batching import halving
from curate.tokens import HubTokenizer
from tests.backends.models import ARCHITECTURES, closest_choice, logp_alone, open_alone, random_rows, save_causal

NATS_PER_TOKEN = 1e-4
QUESTIONS = ["Name three fruits.", "Hi", "Name four animals that live on a farm, please.", "What is a saw?", "Hi"]


@pytest.fixture(scope="module")
def name(demo_models: Path) -> str:
    return str(demo_models / "policy")


@pytest.fixture(scope="module")
def policy(name: str) -> TorchGeneration:
    return TorchGeneration(ModelSpec.of(name, device="cpu"))


@pytest.fixture(scope="module")
def prompts(name: str) -> list[list[int]]:
    tokenizer = HubTokenizer(name)
    return tokenizer.encode([tokenizer.template([{"role": "user", "content": q}], True) for q in QUESTIONS])


def off(model: Any, prompt: list[int], sample: Sample) -> float:
    """How far a sample's log-probability is from one pass over its tokens alone, nats per token."""
    direct = logp_alone(model, Rendered(prompt + sample.ids, len(prompt), "exact"))
    return abs(direct - sample.logps) / len(sample.ids)


# ---- drawing one token


def drawn(probabilities: Sequence[float], u: float, **sampling: float) -> int:
    return int(pick(torch.tensor([probabilities]).log(), [u], Sampling(**sampling))[0])  # type: ignore[arg-type]


def test_a_number_falls_among_the_cumulated_probabilities() -> None:
    # cumulated: 0.125, 0.375, 0.875, 1
    p = [0.125, 0.25, 0.5, 0.125]
    numbers = [0.0, 0.12, 0.13, 0.37, 0.38, 0.87, 0.88, 1 - 2**-53]
    assert [drawn(p, u) for u in numbers] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    # by size: token 2 (0.5), 1 (0.25), 0 and 3 (0.125 each). 0.7 needs 2 and 1, whose mass is 0.75: the number is
    # scaled by it, so 2 is drawn below 0.5 / 0.75 = 2/3.
    p = [0.125, 0.25, 0.5, 0.125]
    assert [drawn(p, u, top_p=0.7) for u in (0.0, 0.66, 0.67, 1 - 2**-53)] == [2, 2, 1, 1]
    # 0.75 is reached by the same two, 0.76 needs one more (of the two equal ones the first)
    assert drawn(p, 1 - 2**-53, top_p=0.75) == 1
    assert drawn(p, 1 - 2**-53, top_p=0.76) == 0
    assert [drawn(p, u, top_p=1e-9) for u in (0.0, 0.99)] == [2, 2]


def test_temperature_divides_the_logits() -> None:
    # logits (0, ln 3) over 0.5 are (0, ln 9): probabilities 1/10 and 9/10; over 2 they are (0, ln sqrt 3): 0.366, 0.634
    p = [0.25, 0.75]
    assert [drawn(p, u, temperature=0.5) for u in (0.09, 0.11)] == [0, 1]
    assert [drawn(p, u, temperature=2.0) for u in (0.36, 0.37)] == [0, 1]
    assert [drawn(p, u, temperature=0.0) for u in (0.0, 0.99)] == [1, 1]
    assert drawn(p, 0.999999, temperature=1e-6) == 1


def test_a_token_without_probability_is_never_drawn() -> None:
    for u in (0.0, 0.5, 1 - 2**-53):
        assert drawn([0.0, 0.3, 0.7, 0.0], u) in (1, 2)
        assert drawn([0.0, 0.3, 0.7, 0.0], u, top_p=0.9999999) in (1, 2)


def test_draws_follow_the_distribution() -> None:
    p = [0.1, 0.2, 0.3, 0.4]
    uniforms = np.random.Generator(np.random.Philox(key=3)).random(4000).tolist()
    counts = torch.bincount(pick(torch.tensor([p] * 4000).log(), uniforms, Sampling()))
    # four standard deviations of a share of 4,000 are at most 0.031
    assert (counts / 4000).tolist() == pytest.approx(p, abs=0.031)


# ---- whole responses


def test_greedy_is_what_transformers_generates(policy: TorchGeneration, name: str, prompts: list[list[int]]) -> None:
    ours = policy.generate(prompts, range(len(prompts)), Sampling(temperature=0, max_tokens=40))
    model = open_alone(name)
    for prompt, sample in zip(prompts, ours, strict=True):
        theirs = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=40)[0, len(prompt) :].tolist()
        # Rounding moves each of the two log-probabilities by up to so much: with a wider lead it decides nothing.
        assert closest_choice(model, prompt, theirs) > 2 * NATS_PER_TOKEN
        assert sample.ids == theirs
    assert ours[1].ids == ours[4].ids
    assert abs(ours[1].logps - ours[4].logps) / len(ours[1].ids) < NATS_PER_TOKEN


def test_a_draw_does_not_depend_on_its_neighbours(policy: TorchGeneration, prompts: list[list[int]]) -> None:
    sampling = Sampling(temperature=0.9, top_p=0.95, max_tokens=24)
    rows = [(prompt, seed) for seed in range(6) for prompt in prompts]
    together = policy.generate([p for p, _ in rows], [s for _, s in rows], sampling)
    alone = [policy.generate([p], [s], sampling)[0] for p, s in rows]
    backwards = policy.generate([p for p, _ in rows[::-1]], [s for _, s in rows[::-1]], sampling)[::-1]
    assert [s.ids for s in together] == [s.ids for s in alone] == [s.ids for s in backwards]
    for one, other in zip(together, alone, strict=True):
        assert abs(one.logps - other.logps) / len(one.ids) < NATS_PER_TOKEN
    # the two equal prompts with equal seeds draw equally, with other seeds they need not
    assert together[1].ids == together[4].ids
    assert len({tuple(together[i].ids) for i in range(1, 30, 5)}) > 1


def test_log_probabilities_are_the_models_own(policy: TorchGeneration, name: str, prompts: list[list[int]]) -> None:
    model = open_alone(name)
    for sampling in (Sampling(max_tokens=30), Sampling(temperature=0.5, top_p=0.8, max_tokens=30), Sampling(0, 1, 30)):
        made = policy.generate(prompts * 2, range(10), sampling)
        assert max(off(model, p, s) for p, s in zip(prompts * 2, made, strict=True)) < NATS_PER_TOKEN


def test_finish_reasons(policy: TorchGeneration, prompts: list[list[int]]) -> None:
    whole = policy.generate(prompts, range(5), Sampling(max_tokens=200))
    assert all(s.finish_reason == "stop" and s.ids[-1] in policy.ends for s in whole)
    assert all(not policy.ends & set(s.ids[:-1]) for s in whole)
    longest = max(len(s.ids) for s in whole)
    limit = longest - 1
    cut = policy.generate(prompts, range(5), Sampling(max_tokens=limit))
    for one, other in zip(whole, cut, strict=True):
        assert other.ids == one.ids[:limit]
        assert other.finish_reason == ("stop" if len(one.ids) <= limit else "length")
    # the end of turn as the very last token that is allowed is an end of turn
    assert all(s.finish_reason == "stop" for s in policy.generate(prompts, range(5), Sampling(max_tokens=longest)))


def test_further_tokens_may_end_a_turn(policy: TorchGeneration, prompts: list[list[int]]) -> None:
    whole = policy.generate(prompts[:1], [0], Sampling(max_tokens=50))[0]
    end = whole.ids[3]
    ended = policy.generate(prompts[:1], [0], Sampling(max_tokens=50, stop_ids=(end,)))[0]
    assert ended.ids == whole.ids[: whole.ids.index(end) + 1]
    assert ended.finish_reason == "stop"


def test_the_ends_of_a_turn_by_configuration(name: str) -> None:
    model = open_alone(name)
    assert end_ids(model) == {2}
    model.generation_config.eos_token_id = [2, 9]
    assert end_ids(model) == {2, 9}
    model.generation_config.eos_token_id = model.config.eos_token_id = None
    assert end_ids(model) == set()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_draws_by_its_own_logits(architecture: str, tmp_path: Path) -> None:
    path = save_causal(ARCHITECTURES[architecture](), tmp_path)
    backend = TorchGeneration(ModelSpec.of(path, device="cpu"))
    model = open_alone(path)
    # beyond its border of 32 tokens a long-rope model judges anew what it drew before: no one pass tells both
    lengths = [39, 50, 50, 67] if architecture == "phi3_longrope" else [9, 30, 30, 47]
    rows = [row.ids for row in random_rows(lengths, seed=3)]
    sampling = Sampling(max_tokens=20)
    alone = [backend.generate([row], [i], sampling)[0] for i, row in enumerate(rows)]
    assert max(off(model, row, sample) for row, sample in zip(rows, alone, strict=True)) < NATS_PER_TOKEN
    groups = [[0], [1, 2], [3]] if backend.padding_free else [[0, 1, 2, 3]]
    for group in groups:
        made = backend.generate([rows[i] for i in group], group, sampling)
        assert [s.ids for s in made] == [alone[i].ids for i in group]
    assert backend.cached == (architecture not in ("mamba", "phi3_longrope"))
    assert backend.cached == (not any("whole text" in note for note in backend.notes))
    assert backend.padding_free == any("share a batch" in note for note in backend.notes)


# ---- the self-check, memory, failure


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_causal(ARCHITECTURES["llama"](), tmp_path_factory.mktemp("llama"))


def test_broken_padding_is_found(llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Reading._inputs

    def forgets_mask(self: Reading, whole: bool) -> dict[str, Any]:
        inputs = begin(self, whole)
        inputs.pop("attention_mask", None)
        return inputs

    monkeypatch.setattr(Reading, "_inputs", forgets_mask)
    backend = TorchGeneration(ModelSpec.of(llama, device="cpu"))
    assert backend.padding_free
    assert backend.cached
    assert ["Padding changes" in note for note in backend.notes] == [True]


def test_a_broken_cache_is_found(llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = transformers.LlamaModel.forward

    def forgets(self: Any, *args: Any, **given: Any) -> Any:
        if given.get("past_key_values") is not None:
            given["position_ids"] = torch.zeros_like(given["input_ids"])
        return forward(self, *args, **given)

    monkeypatch.setattr(transformers.LlamaModel, "forward", forgets)
    backend = TorchGeneration(ModelSpec.of(llama, device="cpu"))
    assert not backend.cached
    assert any("cache cannot be used" in note for note in backend.notes)
    model, row = open_alone(llama), random_rows([12])[0].ids
    assert off(model, row, backend.generate([row], [1], Sampling(max_tokens=12))[0]) < NATS_PER_TOKEN


def test_memory_running_out_halves_the_batch(
    policy: TorchGeneration, prompts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling = Sampling(max_tokens=12)
    whole = policy.generate(prompts, range(5), sampling)
    begin = Reading.begin

    def scarce(self: Reading, given: Any) -> torch.Tensor:
        if len(given) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return begin(self, given)

    monkeypatch.setattr(Reading, "begin", scarce)
    with pytest.raises(OutOfMemory):
        policy.generate(prompts, range(5), sampling)
    rows = list(zip(prompts, range(5), strict=True))
    halved = halving(lambda part: policy.generate([p for p, _ in part], [s for _, s in part], sampling), rows)
    assert [s.ids for s in halved] == [s.ids for s in whole]


def test_a_model_that_says_no_number_is_an_error(
    policy: TorchGeneration, prompts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = TorchGeneration.logits
    monkeypatch.setattr(
        TorchGeneration, "logits", lambda self, **given: (logits(self, **given)[0] * float("nan"), None)
    )
    with pytest.raises(ModelError, match="not a finite number"):
        policy.generate(prompts, range(5), Sampling(max_tokens=3))


def test_a_prompt_with_unknown_tokens_is_refused(policy: TorchGeneration) -> None:
    with pytest.raises(ModelError, match="token id 4000"):
        policy.generate([[5, 4000]], [0], Sampling())


def test_bfloat16_says_so_and_closing_frees(name: str, prompts: list[list[int]]) -> None:
    backend = open_generation(ModelSpec.of(name, device="cpu", dtype="bfloat16"))
    assert backend.facts() == {"backend": "torch", "device": "cpu", "dtype": "bfloat16"}
    sample = backend.generate(prompts[:1], [0], Sampling(max_tokens=20))[0]
    assert 0 < off(open_alone(name), prompts[0], sample) < 0.5
    backend.close()
    assert not hasattr(backend, "loaded")
