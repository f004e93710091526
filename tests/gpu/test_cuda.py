"""What only a GPU can show: `make test-gpu`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import transformers

from curate.backends import ModelSpec, OutOfMemory, Sampling
from curate.backends.open import open_logprobs
from curate.backends.torch.generation import TorchGeneration
from curate.backends.torch.scoring import TorchLogprobs, TorchRewards
from curate.errors import ModelError
from curate.render import Rendered
from curate.scorers.batching import packed_batches
from tests.backends.models import VOCAB, random_rows, save_causal, save_reward, worst

DEVICE = "cuda"
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device (make test-gpu)"),
]
SHAPE = {"vocab_size": VOCAB, "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 3}
SHAPE |= {"num_attention_heads": 4, "max_position_embeddings": 8192, "pad_token_id": 0, "bos_token_id": 1}


def config(key_heads: int) -> transformers.LlamaConfig:
    return transformers.LlamaConfig(**SHAPE, num_key_value_heads=key_heads, eos_token_id=2)


@pytest.fixture(scope="module", params=[4, 2], ids=["all heads", "grouped heads"])
def policy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_causal(config(request.param), tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def rows() -> list[Rendered]:
    """Pairs that share prompts of every length up to some thousand: masks then begin at every kind of address."""
    prompts = random_rows([11, 62, 304, 305, 310, 700, 2100])
    answers = random_rows([5, 40, 333, 64, 19, 250, 1200], seed=1)
    return [
        Rendered([*prompt.ids, *answer.ids[: 1 + len(answer.ids) * part // 3]], len(prompt.ids), "exact")
        for prompt, answer in zip(prompts, answers, strict=True)
        for part in (1, 2, 3)
    ]


def batched(backend: TorchLogprobs, rows: list[Rendered], budget: int) -> list[float]:
    found = [0.0] * len(rows)
    for batch in packed_batches([row.ids for row in rows], budget):
        for place, value in zip(batch, backend.logps([rows[i] for i in batch]), strict=True):
            found[place] = value
    return found


def alone(folder: str, rows: list[Rendered]) -> list[float]:
    """A batch of one in float32 on the CPU, the log-probabilities by transformers' own logits."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    values = []
    for row in rows:
        with torch.inference_mode():
            logps = model(torch.tensor([row.ids])).logits[0, row.start - 1 : -1].log_softmax(-1)
        values.append(float(logps.gather(1, torch.tensor(row.ids[row.start :])[:, None]).double().sum()))
    return values


@pytest.mark.parametrize("budget", [1, 4096, 65536])
def test_packed_log_probabilities_are_those_of_a_batch_of_one(policy: str, rows: list[Rendered], budget: int) -> None:
    backend = TorchLogprobs(ModelSpec.of(policy, device=DEVICE, dtype="float32"))
    assert backend.packs
    assert backend.notes == []
    assert worst(batched(backend, rows, budget), alone(policy, rows), rows) < 1e-4


@pytest.mark.parametrize(("dtype", "nats"), [("bfloat16", 0.05), ("float16", 0.01)])
def test_half_precision_packs_and_stays_near(policy: str, rows: list[Rendered], dtype: str, nats: float) -> None:
    backend = TorchLogprobs(ModelSpec.of(policy, device=DEVICE, dtype=dtype))
    assert backend.packs
    assert worst(batched(backend, rows, 8192), alone(policy, rows), rows) < nats


def test_the_same_batches_give_the_same_bits(policy: str, rows: list[Rendered]) -> None:
    first, second = (TorchLogprobs(ModelSpec.of(policy, device=DEVICE)) for _ in range(2))
    assert batched(first, rows, 8192) == batched(second, rows, 8192)


def test_rewards(tmp_path: Path, rows: list[Rendered]) -> None:
    folder = save_reward(config(2), tmp_path)
    on_gpu, on_cpu = (TorchRewards(ModelSpec.of(folder, device=d, dtype="float32")) for d in (DEVICE, "cpu"))
    ids = [row.ids for row in rows]
    assert on_gpu.rewards(ids) == pytest.approx(on_cpu.rewards(ids), abs=1e-4)


def test_draws_do_not_depend_on_neighbours(policy: str) -> None:
    backend = TorchGeneration(ModelSpec.of(policy, device=DEVICE, dtype="float32"))
    prompts, sampling = [row.ids for row in random_rows([5, 17, 40])], Sampling(max_tokens=24)
    together = backend.generate(prompts, [1, 2, 3], sampling)
    assert backend.cached_tokens is not None
    assert [one.ids for one in together] == [
        backend.generate([prompt], [seed], sampling)[0].ids for prompt, seed in zip(prompts, [1, 2, 3], strict=True)
    ]


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Of the GPU's memory about 256 MiB."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(2**28 / torch.cuda.get_device_properties(0).total_memory)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.usefixtures("little_memory")
def test_a_batch_that_does_not_fit_is_told_apart(policy: str) -> None:
    backend = TorchLogprobs(ModelSpec.of(policy, device=DEVICE, dtype="float32"))
    long = random_rows([8000])[0]
    with pytest.raises(OutOfMemory):
        backend.logps([Rendered([7 + i, *long.ids[1:]], 1, "exact") for i in range(20)])
    assert len(backend.logps(random_rows([100]))) == 1


@pytest.mark.usefixtures("little_memory")
def test_a_model_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    large = transformers.LlamaConfig(**{**SHAPE, "vocab_size": 400_000})
    with pytest.raises(ModelError, match="does not fit"):
        open_logprobs(ModelSpec.of(save_causal(large, tmp_path), device=DEVICE, dtype="float32"))
