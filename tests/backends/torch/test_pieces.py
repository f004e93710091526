from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curate.backends import ModelSpec
from curate.backends.torch import pieces as torch_pieces
from curate.backends.torch.pieces import read_in_pieces
from curate.backends.torch.scoring import TorchLogprobs
from tests.backends.models import ARCHITECTURES, logp_alone, open_alone, random_rows, save_causal, worst

WIDTH = 6


class PlainMLP(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = torch.nn.Linear(WIDTH, 16), torch.nn.Linear(16, WIDTH, torch.float32)
        self.seen: list[int] = []

    def forward(self, states: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        self.seen.append(states[..., 0].numel())
        made: torch.Tensor = self.down(self.up(states).relu()) * scale
        return made


class MixingMLP(PlainMLP):
    """What it makes of a token depends on the token before it, a little."""

    def forward(self, states: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return super().forward(states + 1e-6 * states.roll(1, 1))


class NarrowingMLP(PlainMLP):
    def forward(self, states: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return self.up(states)


class ForgetfulMLP(PlainMLP):
    """It reads from the last token backwards."""

    def forward(self, states: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return super().forward(states).flip(1).cumsum(1).flip(1)


class PlainNorm(PlainMLP):
    pass


@pytest.mark.parametrize(
    ("layer", "changed"), [(PlainMLP, 1), (MixingMLP, 0), (NarrowingMLP, 0), (ForgetfulMLP, 0), (PlainNorm, 0)]
)
def test_only_layers_that_read_each_token_alone_are_changed(layer: type[PlainMLP], changed: int) -> None:
    assert read_in_pieces(torch.nn.Sequential(layer()), WIDTH, torch.float32) == changed


def test_a_layer_of_another_width_is_left_alone() -> None:
    assert read_in_pieces(torch.nn.Sequential(PlainMLP()), WIDTH + 1, torch.float32) == 0


def test_a_model_opened_twice_is_changed_once() -> None:
    model = torch.nn.Sequential(PlainMLP(), PlainMLP())
    assert [read_in_pieces(model, WIDTH, torch.float32), read_in_pieces(model, WIDTH, torch.float32)] == [2, 0]


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 12))
def test_pieces_give_what_the_whole_gives(rows: int, tokens: int, at_once: int) -> None:
    layer = PlainMLP()
    states = torch.randn(rows, tokens, WIDTH)
    with torch.inference_mode(), pytest.MonkeyPatch.context() as patched:
        whole = layer(states)
        patched.setattr(torch_pieces, "PIECE_BYTES", at_once * 3 * 16 * 4)
        assert read_in_pieces(torch.nn.Sequential(layer), WIDTH, torch.float32) == 1
        layer.seen.clear()
        torch.testing.assert_close(layer(states), whole, rtol=0, atol=1e-6)
        torch.testing.assert_close(layer(states.transpose(0, 1)), whole.transpose(0, 1), rtol=0, atol=1e-6)
        assert max(layer.seen) <= at_once
        assert sum(layer.seen) == 2 * rows * tokens


def test_what_comes_with_something_else_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_pieces, "PIECE_BYTES", 1)
    layer = PlainMLP()
    read_in_pieces(torch.nn.Sequential(layer), WIDTH, torch.float32)
    layer.seen.clear()
    layer(torch.zeros(1, 5, WIDTH), 2.0)
    layer(torch.zeros(1, 5, WIDTH), scale=2.0)
    layer(states=torch.zeros(1, 5, WIDTH))
    assert layer.seen == [5, 5, 5]


class HalfRMSNorm(torch.nn.Module):
    """Of half the width, as of queries and keys."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.weight * states
        return made


def test_norms_of_one_class_and_other_widths_are_told_apart() -> None:
    norms = [HalfRMSNorm(WIDTH // 2), HalfRMSNorm(WIDTH), HalfRMSNorm(WIDTH)]
    assert read_in_pieces(torch.nn.Sequential(*norms), WIDTH, torch.float32) == 2


def test_a_layer_that_gives_another_dtype_is_left_alone() -> None:
    assert read_in_pieces(torch.nn.Sequential(HalfRMSNorm(WIDTH)), WIDTH, torch.bfloat16) == 0


@pytest.mark.parametrize("name", ["llama", "qwen3_tied", "gemma2_softcapped", "gpt2_positions_tied", "mistral_window"])
def test_log_probabilities_stay_those_of_a_batch_of_one(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    folder, rows = save_causal(ARCHITECTURES[name](), tmp_path), random_rows([2, 5, 9, 30, 60])
    monkeypatch.setattr(torch_pieces, "PIECE_BYTES", 5 * 3 * 48 * 4)
    backend = TorchLogprobs(ModelSpec.of(str(folder), device="cpu", dtype="float32"))
    cut = [one for one in backend.loaded.model.modules() if isinstance(one.forward, torch_pieces._InPieces)]
    assert len(cut) >= 2
    model = open_alone(folder)
    assert worst(backend.logps(rows), [logp_alone(model, row) for row in rows], rows) < 1e-5
