from __future__ import annotations

from pathlib import Path

import pytest

from curate.backends import ModelSpec, Sample, Sampling
from curate.backends.torch.generation import TorchGeneration
from curate.backends.torch.scoring import TorchLogprobs
from curate.backends.vllm.models import VllmGeneration
from curate.errors import SettingsError
from curate.render import Ids, Rendered
from tests.backends.models import random_rows, worst
from tests.vllm.models import CLOSE, causal, opened, spec

FREE = Sampling(max_tokens=80)


@pytest.fixture(scope="module")
def writer(demo_models: Path) -> VllmGeneration:
    return opened(VllmGeneration, spec(demo_models / "policy", max_length=1024))


@pytest.fixture(scope="module")
def prompts(demo_rows: list[Rendered]) -> list[Ids]:
    """Ten prompts, some of them several times."""
    held = [row.ids[: row.start] for row in demo_rows[:20:2]]
    return [*held, held[0], held[0], held[3]]


@pytest.fixture(scope="module")
def drawn(writer: VllmGeneration, prompts: list[Ids]) -> list[Sample]:
    return writer.generate(prompts, range(len(prompts)), FREE)


def test_greedy_responses_are_torchs(writer: VllmGeneration, demo_models: Path, prompts: list[Ids]) -> None:
    greedy = Sampling(temperature=0, max_tokens=80)
    ours = writer.generate(prompts, range(len(prompts)), greedy)
    torch = TorchGeneration(ModelSpec.of(str(demo_models / "policy"), device="cpu"))
    theirs = torch.generate(prompts, range(len(prompts)), greedy)
    assert [(one.ids, one.finish_reason) for one in ours] == [(one.ids, one.finish_reason) for one in theirs]
    assert {one.finish_reason for one in ours} == {"stop"}


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (1.3, 0.8)])
def test_logps_are_those_of_the_model_itself(
    writer: VllmGeneration, demo_models: Path, prompts: list[Ids], temperature: float, top_p: float
) -> None:
    """Whatever the temperature and top_p of the draw."""
    made = writer.generate(prompts, range(len(prompts)), Sampling(temperature, top_p, 80))
    rows = [Rendered(ids + one.ids, len(ids), "exact") for ids, one in zip(prompts, made, strict=True)]
    torch = TorchLogprobs(ModelSpec.of(str(demo_models / "policy"), device="cpu"))
    assert worst([one.logps for one in made], torch.logps(rows), rows) < CLOSE


def test_a_seed_repeats_a_response_and_another_changes_it(
    writer: VllmGeneration, prompts: list[Ids], drawn: list[Sample]
) -> None:
    assert writer.generate(prompts, range(len(prompts)), FREE) == drawn
    others = writer.generate(prompts, range(100, 100 + len(prompts)), FREE)
    assert sum(a.ids != b.ids for a, b in zip(drawn, others, strict=True)) > len(prompts) // 2
    assert drawn[0].ids != drawn[10].ids, "one prompt with two seeds"


def test_neighbours_change_nothing(writer: VllmGeneration, prompts: list[Ids], drawn: list[Sample]) -> None:
    turned = writer.generate(prompts[::-1], range(len(prompts))[::-1], FREE)[::-1]
    alone = [writer.generate([ids], [seed], FREE)[0] for seed, ids in enumerate(prompts)]
    assert [one.ids for one in turned] == [one.ids for one in drawn]
    assert [one.ids for one in alone] == [one.ids for one in drawn]


def test_finish_reasons(writer: VllmGeneration, prompts: list[Ids], drawn: list[Sample]) -> None:
    end = 2  # the demo's end of turn
    assert all((one.finish_reason == "stop") == (one.ids[-1] == end) for one in drawn)
    assert all(end not in one.ids[:-1] for one in drawn)
    cut = writer.generate(prompts, range(len(prompts)), Sampling(max_tokens=3))
    assert [(len(one.ids), one.finish_reason) for one in cut] == [(3, "length")] * len(prompts)


def test_further_tokens_that_end_a_turn(writer: VllmGeneration, prompts: list[Ids], drawn: list[Sample]) -> None:
    stop = drawn[0].ids[4]
    first = drawn[0].ids.index(stop) + 1
    made = writer.generate(prompts[:1], [0], Sampling(max_tokens=80, stop_ids=(stop,)))[0]
    assert (made.ids, made.finish_reason) == (drawn[0].ids[:first], "stop")


def test_a_temperature_that_vllm_would_raise_is_refused(writer: VllmGeneration, prompts: list[Ids]) -> None:
    with pytest.raises(SettingsError, match="vLLM samples at"):
        writer.generate(prompts[:1], [0], Sampling(temperature=0.001))


def test_seeds_beyond_63_bits(writer: VllmGeneration, prompts: list[Ids]) -> None:
    wide = [2**64 - 1, 2**63, 2**127 + 5]
    assert len({tuple(one.ids) for one in writer.generate(prompts[:1] * 3, wide, FREE)}) == 3


def test_prompts_beyond_one_step_with_seeds_do_not_stop_the_engine(tmp_path: Path) -> None:
    """Sixty prompts of some 200 tokens exceed a step of 8,192; in pieces they would stop the engine on a CPU."""
    path = causal(tmp_path)
    prompts = [row.ids for row in random_rows([190 + n % 51 for n in range(60)], 1024)]
    backend = opened(VllmGeneration, spec(path))
    scheduler = backend.llm.llm_engine.vllm_config.scheduler_config
    assert sum(map(len, prompts)) > scheduler.max_num_batched_tokens
    assert not scheduler.enable_chunked_prefill
    made = backend.generate(prompts, range(60), Sampling(max_tokens=12))
    again = backend.generate(prompts, range(60), Sampling(max_tokens=12))
    assert made == again
    assert {len(one.ids) for one in made} <= set(range(1, 13))
    rows = [Rendered(ids + one.ids, len(ids), "exact") for ids, one in zip(prompts, made, strict=True)]
    torch = TorchLogprobs(ModelSpec.of(path, device="cpu"))
    assert worst([one.logps for one in made], torch.logps(rows), rows) < CLOSE
