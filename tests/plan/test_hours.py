"""Hours and memory of a model on a GPU, worked out by hand; and what `curate run --plan` says of them."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from curate.cli.run_summaries import cost_lines, spent
from curate.errors import SettingsError
from curate.model import Model
from curate.plan.cost import ModelCost, ModelSize, read_size
from curate.plan.hours import GPUS, find_gpu, hours, memory, parameters_of, usual_size
from curate.plan.volume import Disk


def cost(model: str, tokens: int | None = 1_000_000, unit: str = "tokens", parameters: int | None = None) -> ModelCost:
    return ModelCost("policy", model, 10, tokens, unit, False, parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("princeton-nlp/Llama-3-Base-8B-SFT", 8e9),
        ("Qwen/Qwen2.5-0.5B-Instruct", 5e8),
        ("HuggingFaceTB/SmolLM2-135M", 1.35e8),
        ("models/policy-7b", 7e9),
        ("mistralai/Mixtral-8x7B-v0.1", None),  # neither 8 nor 7
        ("gpt2", None),
        ("org7B/reward", None),
        ("a/model-4bit", None),
    ],
)
def test_parameters_by_name(name: str, parameters: float | None) -> None:
    assert parameters_of(cost(name)) == parameters


def test_weights_that_are_here_count_and_not_the_name() -> None:
    assert parameters_of(cost("tiny-8B", parameters=42)) == 42


def test_hours_are_flop_over_what_the_gpu_reaches() -> None:
    # 2 x 8e9 x 1e6 = 1.6e16 FLOP; 0.4 x 312e12 = 1.248e14 per second: 128.2 s
    assert hours(cost("m-8B"), GPUS["A100"]) == pytest.approx(128.205 / 3600, rel=1e-4)
    # a word is 1.3 tokens
    assert hours(cost("m-8B", unit="words"), GPUS["A100"]) == pytest.approx(1.3 * 128.205 / 3600, rel=1e-4)
    assert hours(cost("m"), GPUS["A100"]) is None
    assert hours(cost("m-8B", tokens=None), GPUS["A100"]) is None


def test_hours_are_those_of_the_readme() -> None:
    page = Path(__file__).parents[2].joinpath("README.md").read_text("utf-8")
    assert "policy and reference read a prompt once" in " ".join(page.lower().split())
    costs = [cost("m-8B", tokens=60_000 * tokens) for tokens in (900, 900, 1_100)]
    for name in ("H100", "A100"):
        one, eight = re.findall(rf"\| {name} .*?\| ([0-9.]+) h \| ([0-9.]+) h \|", page)[0]
        total = sum(hours(each, GPUS[name]) or 0 for each in costs)
        assert (spent(total), f"{total / 8:.2f}") == (f"{float(one):.1f} h", eight)


LLAMA = ModelSize(4096, 14336, 32, 1024)


def sized(role: str, tokens: int | None = None, size: ModelSize | None = LLAMA) -> ModelCost:
    return replace(cost("m-8B"), role=role, size=size, batch_tokens=tokens)


def test_memory_is_two_bytes_a_parameter_and_a_batch() -> None:
    # (8 x 4096 + 3 x 14336) x 2 = 151,552 bytes per token; two tiles of 4096 x 16384 float32 logits are 512 MiB
    found = memory(sized("policy", 10_000), GPUS["H100"])
    assert found is not None and found.weights == pytest.approx(16e9 / 2**30)
    assert found.batch == pytest.approx((10_000 * 151_552 + 2**29) / 2**30)
    assert memory(sized("reward", 10_000), GPUS["H100"]).batch == pytest.approx(10_000 * 151_552 / 2**30)
    assert memory(cost("m"), GPUS["H100"]) is None


def test_memory_of_a_model_that_writes_is_its_cache() -> None:
    # 2 x 32 layers x 1024 x 2 bytes = 128 KiB per token
    found = memory(sized("draws", 8_192), GPUS["H100"])
    assert found is not None and found.batch == 1
    assert found.total == pytest.approx(16e9 / 2**30 + 1)


def test_the_default_batch_is_the_one_that_the_models_take() -> None:
    # 2^30 / 151,552 = 7,084, in steps of 1,024; on a full card the smallest; 65,536 tokens of a cache fit into 8 GiB
    assert memory(sized("policy"), GPUS["H100"]).tokens == 6 * 1024
    assert memory(replace(sized("policy"), parameters=11_900_000_000), GPUS["RTX4090"]).tokens == 6 * 1024
    assert memory(replace(sized("policy"), parameters=20_000_000_000), GPUS["RTX4090"]).tokens == 1024
    assert memory(sized("draws"), GPUS["H100"]).tokens == 65_536


@pytest.mark.parametrize("parameters", [5e8, 8e9, 7e10])
def test_a_usual_decoder_has_its_parameters(parameters: float) -> None:
    size = usual_size(parameters)
    assert 12 * size.layers * size.hidden**2 == pytest.approx(parameters, rel=0.05)
    assert (size.wide, size.keys) == (4 * size.hidden, size.hidden)


def test_the_size_is_read_from_the_configuration(tmp_path: Path, demo_models: Path) -> None:
    config = json.loads((demo_models / "policy" / "config.json").read_text("utf-8"))
    found = read_size(Model.of(str(demo_models / "policy")))
    assert found is not None
    assert (found.hidden, found.wide, found.layers) == tuple(
        config[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers")
    )
    assert read_size(Model.of("fake:1")) is None


def test_gpus_are_found_in_any_case_and_others_refused() -> None:
    assert find_gpu("h100").memory == 80
    with pytest.raises(SettingsError) as caught:
        find_gpu("H10")
    assert (caught.value.where, caught.value.hint) == ("--gpu H10", "Did you mean H100?")


def test_the_plan_says_when_it_cannot_know_everything_and_when_a_model_is_too_large() -> None:
    disks = [Disk(2**30, 0), Disk(2**31, 2**28)]
    said = " ".join(str(line) for line in cost_lines([cost("m-70B"), cost("m")], GPUS["A100"], disks))
    assert "at least 19 min on one A100 (312 TFLOP/s in bfloat16, 40% of them used)" in said
    assert "GiB, more than the 80 of one A100: 130.4 of weights and" in said
    assert "disk: about 3 GiB for all outputs, and 256 MiB more for unfinished work" in said
    assert "GPU memory" not in " ".join(str(line) for line in cost_lines([cost("m")], GPUS["A100"], []))


def test_a_short_time_is_not_about_less_than_a_minute() -> None:
    def first(*names: str) -> str:
        return " ".join(str(line) for line in cost_lines([cost(one, tokens=10) for one in names], GPUS["H100"], []))

    assert first("m-8B").startswith("less than a minute on one H100")
    assert first("m-8B", "m").startswith("less than a minute, not counting what is unknown, on one H100")
    assert "less than 0.1 of weights" in first("m-8M")


@pytest.mark.parametrize(
    ("given", "said"),
    [(0.001, "less than a minute"), (0.5, "30 min"), (0.999, "60 min"), (1.25, "1.2 h"), (1234, "1,234.0 h")],
)
def test_time_as_one_says_it(given: float, said: str) -> None:
    assert spent(given) == said
