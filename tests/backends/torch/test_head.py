from __future__ import annotations

import pytest
import torch

from curate.backends.torch import head as torch_head
from curate.backends.torch.head import Head, products_as


def expected(states: torch.Tensor, targets: torch.Tensor, head: Head) -> torch.Tensor:
    logits = states.double() @ head.weight.double().T
    if head.bias is not None:
        logits += head.bias.double()
    logits *= head.scale
    if head.cap:
        logits = head.cap * torch.tanh(logits / head.cap)
    return logits.log_softmax(-1).gather(1, targets[:, None])[:, 0].float()


def make(rows: int, spread: float = 1.0, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(rows)
    return (torch.randn(rows, 16) * spread).to(dtype), torch.randint(0, 75, (rows,))


def a_head(
    bias: bool = False, cap: float | None = None, dtype: torch.dtype = torch.float32, scale: float = 1.0
) -> Head:
    torch.manual_seed(0)
    return Head(torch.randn(75, 16).to(dtype), torch.randn(75).to(dtype) if bias else None, cap, scale)


def test_golden() -> None:
    # logits (0, ln 3): probabilities 1/4 and 3/4
    head = Head(torch.tensor([[0.0], [1.0]]), None, None)
    states = torch.tensor([[3.0], [3.0]]).log()
    assert head.logps(states, torch.tensor([0, 1])).exp().tolist() == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize("tile", [(1, 1), (4, 10), (7, 75), (100, 100)])
@pytest.mark.parametrize(
    ("bias", "cap", "scale"),
    [(False, None, 1.0), (True, None, 1.0), (False, 2.0, 1.0), (True, 5.0, 1.0), (True, None, 0.25), (True, 5.0, 3.0)],
)
@pytest.mark.parametrize("rows", [0, 1, 7, 30])
def test_tiles_change_nothing(
    tile: tuple[int, int], bias: bool, cap: float | None, scale: float, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_head, "CPU_TILE", tile)
    head, (states, targets) = a_head(bias, cap, scale=scale), make(rows)
    found = head.logps(states, targets)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected(states, targets, head), atol=2e-6, rtol=1e-5)


def test_a_target_less_likely_than_float32_can_say() -> None:
    head, (states, targets) = a_head(), make(40, spread=60.0)
    wanted = expected(states, targets, head)
    assert wanted.min() < -300
    torch.testing.assert_close(head.logps(states, targets), wanted, atol=1e-3, rtol=1e-5)


def test_bfloat16_weights_lose_nothing_in_the_head() -> None:
    """Products of bfloat16 numbers are summed in float32, whatever unit multiplies them."""
    head = a_head(dtype=torch.bfloat16)
    states, targets = make(30, dtype=torch.bfloat16)
    torch.testing.assert_close(head.logps(states, targets), expected(states, targets, head), atol=1e-5, rtol=1e-5)


def test_the_callers_setting_is_put_back() -> None:
    settings = torch.backends.mkldnn.matmul
    before = settings.fp32_precision
    with pytest.raises(RuntimeError), products_as(torch.bfloat16):
        assert settings.fp32_precision == "bf16"
        raise RuntimeError
    assert settings.fp32_precision == before
    with products_as(torch.float32):
        assert settings.fp32_precision == before


def test_never_all_logits_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    product = torch_head.product

    def watched(states: torch.Tensor, weight: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
        found = product(states, weight, held)
        sizes.append(found.numel())
        return found

    monkeypatch.setattr(torch_head, "product", watched)
    monkeypatch.setattr(torch_head, "CPU_TILE", (8, 16))
    a_head().logps(*make(30))
    assert max(sizes) == 8 * 16
    assert sum(sizes) == 30 * 75
