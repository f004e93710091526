"""Hours and memory of a model on a GPU, worked out by hand; and what `curate run --plan` says of them."""

import pytest

from curate.cli.run_summaries import cost_lines, spent
from curate.errors import SettingsError
from curate.plan.cost import ModelCost
from curate.plan.hours import GPUS, find_gpu, hours, memory, parameters_of


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


def test_memory_is_two_bytes_a_parameter() -> None:
    assert memory(cost("m-8B")) == pytest.approx(16e9 / 2**30)
    assert memory(cost("m")) is None


def test_gpus_are_found_in_any_case_and_others_refused() -> None:
    assert find_gpu("h100").memory == 80
    with pytest.raises(SettingsError) as caught:
        find_gpu("H10")
    assert (caught.value.where, caught.value.hint) == ("--gpu H10", "Did you mean H100?")


def test_the_plan_says_when_it_cannot_know_everything_and_when_a_model_is_too_large() -> None:
    said = " ".join(str(line) for line in cost_lines([cost("m-70B"), cost("m")], GPUS["A100"], 3 * 2**30))
    assert "at least 19 min on one A100 (312 TFLOP/s in bfloat16, 40% of them used)" in said
    assert "130.4 GiB for the weights of the largest model, more than the 80 of one A100" in said
    assert "disk: about 3 GiB" in said
    assert "GPU memory" not in " ".join(str(line) for line in cost_lines([cost("m")], GPUS["A100"], 0))


def test_a_short_time_is_not_about_less_than_a_minute() -> None:
    def first(*names: str) -> str:
        return " ".join(str(line) for line in cost_lines([cost(one, tokens=10) for one in names], GPUS["H100"], 0))

    assert first("m-8B").startswith("less than a minute on one H100")
    assert first("m-8B", "m").startswith("less than a minute, not counting what is unknown, on one H100")
    assert "GPU memory: less than 0.1 GiB for" in first("m-8M")


@pytest.mark.parametrize(
    ("given", "said"),
    [(0.001, "less than a minute"), (0.5, "30 min"), (0.999, "60 min"), (1.25, "1.2 h"), (1234, "1,234.0 h")],
)
def test_time_as_one_says_it(given: float, said: str) -> None:
    assert spent(given) == said
