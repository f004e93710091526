from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from curate.backends import ModelSpec, OutOfMemory
from curate.backends.torch.forward import TorchModel
from curate.backends.torch.loading import LoadedModel
from curate.backends.torch.scoring import TorchRewards
from curate.scorers.batching import halving
from tests.backends.models import SHAPE, VOCAB, open_alone, random_rows, reward_alone, save_reward

CLOSE = 1e-4
LENGTHS = [2, 3, 50, 21, 22, 80, 7, 1, 33, 120]

ARCHITECTURES: dict[str, Callable[[], Any]] = {
    "llama": lambda: transformers.LlamaConfig(**SHAPE),
    "qwen3": lambda: transformers.Qwen3Config(**SHAPE),
    "gemma2": lambda: transformers.Gemma2Config(**SHAPE, sliding_window=16, attn_logit_softcapping=None),
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=256, eos_token_id=2, initializer_range=0.4
    ),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        pad_token_id=0,
        initializer_range=0.4,
    ),
    "bert_reads_the_first_token": lambda: transformers.BertConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=256,
        pad_token_id=0,
        initializer_range=0.4,
    ),
}


def rows_of(vocabulary: int, ending: int | None = None) -> list[list[int]]:
    rows = [list(row.ids) for row in random_rows(LENGTHS, vocabulary, seed=4)]
    return rows if ending is None else [[*row, ending] for row in rows]


def close(ours: list[float], expected: list[float]) -> None:
    assert max(expected) > min(expected) + 0.05, "the model is too flat for this test to fail"
    assert max(abs(a - b) for a, b in zip(ours, expected, strict=True)) < CLOSE


@pytest.fixture(scope="module")
def judge(demo_models: Path) -> TorchRewards:
    return TorchRewards(ModelSpec.of(str(demo_models / "reward"), device="cpu"))


@pytest.fixture(scope="module")
def expected(demo_models: Path) -> list[float]:
    model = open_alone(str(demo_models / "reward"), "reward")
    return [reward_alone(model, ids) for ids in rows_of(1024)]


def test_rewards_are_the_raw_logit_of_a_batch_of_one(judge: TorchRewards, expected: list[float]) -> None:
    close(judge.rewards(rows_of(1024)), expected)
    assert judge.notes == []


@pytest.mark.parametrize("picked", [[0], [5], [9, 0], [3, 4, 3], [7, 2, 1, 8]])
def test_neighbours_do_not_matter(judge: TorchRewards, expected: list[float], picked: list[int]) -> None:
    rows = rows_of(1024)
    ours = judge.rewards([rows[i] for i in picked])
    assert max(abs(a - expected[i]) for a, i in zip(ours, picked, strict=True)) < CLOSE


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_agrees_with_its_own_logit(name: str, tmp_path: Path) -> None:
    config = ARCHITECTURES[name]()
    path = save_reward(config, tmp_path)
    backend = TorchRewards(ModelSpec.of(path, device="cpu"))
    rows = [[i % (VOCAB - 1) + 1 for i in ids] for ids in rows_of(VOCAB)]
    model = open_alone(path, "reward")
    alone = [reward_alone(model, ids) for ids in rows]
    close([backend.rewards([ids])[0] for ids in rows], alone)
    assert not backend.padding_free
    assert backend.packs == (name != "bert_reads_the_first_token")
    close(backend.rewards(rows), alone)
    shared = [rows[9][:40] + ids for ids in rows]
    close(backend.rewards(shared), [reward_alone(model, ids) for ids in shared])


@pytest.mark.parametrize("times", [1, 2])
def test_a_padding_token_that_ends_the_turn(tmp_path: Path, times: int) -> None:
    """transformers reads the head at the last token that is not padding; a batch of one is the reference."""
    config = transformers.LlamaConfig(**(SHAPE | {"pad_token_id": 2, "eos_token_id": 2}))
    path = save_reward(config, tmp_path)
    rows = [ids + [2] * times for ids in rows_of(VOCAB)] + [[2, 2, 2]]
    model = open_alone(path, "reward")
    close(TorchRewards(ModelSpec.of(path, device="cpu")).rewards(rows), [reward_alone(model, ids) for ids in rows])


def test_a_model_without_a_padding_token(tmp_path: Path) -> None:
    path = save_reward(transformers.LlamaConfig(**(SHAPE | {"pad_token_id": None})), tmp_path)
    rows = [[*ids, 0] for ids in rows_of(VOCAB)]  # 0 is what such rows are padded with
    model = open_alone(path, "reward")
    close(TorchRewards(ModelSpec.of(path, device="cpu")).rewards(rows), [reward_alone(model, ids) for ids in rows])


def test_bfloat16_is_near_and_says_so(demo_models: Path, expected: list[float]) -> None:
    backend = TorchRewards(ModelSpec.of(str(demo_models / "reward"), device="cpu", dtype="bfloat16"))
    assert backend.facts()["dtype"] == "bfloat16"
    error = max(abs(a - b) for a, b in zip(backend.rewards(rows_of(1024)), expected, strict=True))
    assert 0 < error < 0.03 * max(1.0, *map(abs, expected))


# ---- the self-check


def test_a_broken_head_is_found_and_the_model_speaks_for_itself(
    demo_models: Path, expected: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    score = LoadedModel.score
    monkeypatch.setattr(LoadedModel, "score", lambda self, states: score(self, states) + 0.01)
    backend = TorchRewards(ModelSpec.of(str(demo_models / "reward"), device="cpu"))
    assert len(backend.notes) == 1
    assert "more than a linear head" in backend.notes[0]
    close(backend.rewards(rows_of(1024)), expected)


def break_packing(monkeypatch: pytest.MonkeyPatch) -> None:
    packed_states = TorchModel._packed_states
    monkeypatch.setattr(
        TorchModel, "_packed_states", lambda self, rows, wanted: packed_states(self, rows, wanted).flip(-1)
    )


def test_broken_packing_is_found(demo_models: Path, expected: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    break_packing(monkeypatch)
    backend = TorchRewards(ModelSpec.of(str(demo_models / "reward"), device="cpu"))
    assert not backend.packs
    assert not backend.padding_free
    assert "cannot be packed" in backend.notes[0]
    close(backend.rewards(rows_of(1024)), expected)


def test_broken_padding_is_found(demo_models: Path, expected: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    break_packing(monkeypatch)
    hidden_states = TorchModel.hidden_states

    def broken(self: TorchModel, rows: Any) -> torch.Tensor:
        states = hidden_states(self, rows)
        return states if len({len(row) for row in rows}) == 1 else states.flip(-1)

    monkeypatch.setattr(TorchModel, "hidden_states", broken)
    backend = TorchRewards(ModelSpec.of(str(demo_models / "reward"), device="cpu"))
    assert backend.padding_free
    assert len(backend.notes) == 2
    assert "equal length" in backend.notes[1]
    close([backend.rewards([ids])[0] for ids in rows_of(1024)], expected)


def test_a_deeper_head_without_a_padding_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_reward(transformers.LlamaConfig(**(SHAPE | {"pad_token_id": None})), tmp_path)
    # as with a head of two layers: no single linear map stands in for it
    monkeypatch.setattr(LoadedModel, "has_linear_head", property(lambda self: False))
    backend = TorchRewards(ModelSpec.of(path, device="cpu"))
    model = open_alone(path, "reward")
    rows = rows_of(VOCAB)
    close([backend.rewards([ids])[0] for ids in rows], [reward_alone(model, ids) for ids in rows])


def test_memory_running_out_halves_the_batch(
    judge: TorchRewards, expected: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed_states = TorchModel._packed_states

    def scarce(self: TorchModel, rows: Any, wanted: Any) -> torch.Tensor:
        if len(rows) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return packed_states(self, rows, wanted)

    monkeypatch.setattr(TorchModel, "_packed_states", scarce)
    with pytest.raises(OutOfMemory):
        judge.rewards(rows_of(1024))
    close(halving(judge.rewards, rows_of(1024)), expected)
