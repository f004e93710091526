from __future__ import annotations

import math
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from curate.backends.torch import attention as torch_attention
from curate.backends.torch.attention import CannotPack, Reading, aligned, packed_attention, reading
from curate.backends.torch.packing import pack

LAYER = SimpleNamespace(is_causal=True)
HEADS, KEY_HEADS, WIDTH = 4, 2, 8


def make_rows() -> list[list[int]]:
    rng = Random(0)
    prompt = [rng.randrange(90) for _ in range(30)]
    longer = prompt + [rng.randrange(90) for _ in range(9)]
    ends = [[rng.randrange(90) for _ in range(n)] for n in (1, 7, 20, 41, 3)]
    return [[*prompt, *ends[0]], ends[1], [*prompt, *ends[2]], [*longer, *ends[3]], [*longer, *ends[4]], longer]


def tensors(tokens: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    shapes = [(1, tokens, heads, WIDTH) for heads in (HEADS, KEY_HEADS, KEY_HEADS)]
    query, key, value = (torch.randn(shape).transpose(1, 2) for shape in shapes)
    return query, key, value


def by_hand(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, window: int | None, cap: float | None
) -> torch.Tensor:
    """Attention of one row to itself, written out: [1, tokens, heads, width]."""
    key, value = key.repeat_interleave(2, 1), value.repeat_interleave(2, 1)
    scores = query @ key.transpose(2, 3) * scale
    scores = scores if cap is None else cap * torch.tanh(scores / cap)
    n = query.shape[2]
    for i in range(n):
        for j in range(n):
            if j > i or (window is not None and j <= i - window):
                scores[:, :, i, j] = -math.inf
    return (scores.softmax(-1) @ value).transpose(1, 2)


@pytest.mark.parametrize("block", [4, 16, 1000])
@pytest.mark.parametrize("window", [None, 1, 5, 33, 500])
@pytest.mark.parametrize("cap", [None, 0.7])
def test_each_row_sees_itself_and_nothing_else(
    block: int, window: int | None, cap: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_attention, "CPU_QUERIES", block)
    packed = pack(make_rows())
    query, key, value = tensors(len(packed.ids))
    with reading(packed) as now:
        found, weights = packed_attention(
            LAYER, query, key, value, None, scaling=0.3, sliding_window=window, softcap=cap, use_cache=False
        )
    assert weights is None
    assert found.shape == (1, len(packed.ids), HEADS, WIDTH)
    assert now.windows == [window]
    for where in packed.where:
        alone = by_hand(*(one[:, :, where] for one in (query, key, value)), 0.3, window, cap)
        torch.testing.assert_close(found[:, where], alone, atol=1e-6, rtol=1e-5)


def test_the_usual_scale() -> None:
    packed = pack([[1, 2, 3]])
    query, key, value = tensors(3)
    with reading(packed):
        found = packed_attention(LAYER, query, key, value, None)[0]
        capped = packed_attention(LAYER, query, key, value, None, softcap=1e4)[0]
    torch.testing.assert_close(found, by_hand(query, key, value, WIDTH**-0.5, None, None), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found, capped, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "asked", [{"s_aux": torch.zeros(4)}, {"position_bias": torch.zeros(1)}, {"is_causal": False}, {"cache": object()}]
)
def test_what_packing_does_not_offer_is_refused(asked: dict[str, Any]) -> None:
    with reading(pack([[1, 2, 3]])), pytest.raises(CannotPack):
        packed_attention(LAYER, *tensors(3), None, **asked)


def test_other_tokens_than_the_packs_are_refused() -> None:
    with pytest.raises(CannotPack):
        packed_attention(LAYER, *tensors(3), None)  # no pack is being read
    with reading(pack([[1, 2, 3]])):
        with pytest.raises(CannotPack):
            packed_attention(SimpleNamespace(is_causal=False), *tensors(3), None)
        with pytest.raises(CannotPack):
            packed_attention(LAYER, *tensors(4), None)
        with pytest.raises(CannotPack):
            packed_attention(LAYER, *tensors(3), torch.zeros(1, 1, 3, 3))


@pytest.mark.parametrize("window", [None, 6])
def test_one_call_for_all_rows(window: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flash attention itself needs a GPU; what it is told is checked with its arithmetic written out."""

    def varlen_attn(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        cu_seq_q: torch.Tensor,
        cu_seq_k: torch.Tensor,
        max_q: int,
        max_k: int,
        *,
        scale: float,
        window_size: tuple[int, int],
        enable_gqa: bool,
    ) -> torch.Tensor:
        assert enable_gqa
        assert window_size == (-1 if window is None else window - 1, 0)
        assert cu_seq_q.dtype == cu_seq_k.dtype == torch.int32
        assert (max_q, max_k) == (int(cu_seq_q.diff().max()), int(cu_seq_k.diff().max()))
        out = torch.empty_like(query)
        for q0, q1, k0, k1 in zip(cu_seq_q, cu_seq_q[1:], cu_seq_k, cu_seq_k[1:], strict=False):
            full = torch.zeros(k1 - k0, HEADS, WIDTH)
            full[-(q1 - q0) :] = query[q0:q1]  # the last query stands at the last key
            turned = [one.transpose(0, 1)[None] for one in (full, key[k0:k1], value[k0:k1])]
            out[q0:q1] = by_hand(*turned, scale, window, None)[0, -(q1 - q0) :]
        return out

    import torch.nn.attention.varlen as module

    monkeypatch.setattr(module, "varlen_attn", varlen_attn)
    packed = pack(make_rows())
    query, key, value = tensors(len(packed.ids))
    arguments = {"scaling": 0.3, "sliding_window": window}
    with reading(packed, varlen=True):
        together = packed_attention(LAYER, query, key, value, None, **arguments)[0]
    with reading(packed):
        apart = packed_attention(LAYER, query, key, value, None, **arguments)[0]
    torch.testing.assert_close(together, apart, atol=1e-6, rtol=1e-5)


def test_masks_are_cut_from_one() -> None:
    now = Reading(pack([list(range(20))]))
    like = torch.zeros(1)
    mask = now.mask(like, 3, 10, 4, None)
    # three queries, the last three of ten tokens: the first sees eight of them
    assert np.isneginf(mask.numpy()).sum(1).tolist() == [2, 1, 0]
    assert mask.shape == (3, 10)
    assert np.isneginf(now.mask(like, 2, 10, 4, 3).numpy()).astype(int).tolist() == [
        [1, 1, 1, 1, 1, 1, 0, 0, 0, 1],
        [1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    ]
    assert now.mask(like, 3, 10, 4, None).data_ptr() == mask.data_ptr()


@pytest.mark.parametrize("queries", [1, 2, 7, 64])
def test_masks_for_a_gpu_begin_where_it_can_read_them(queries: int) -> None:
    packed = pack(make_rows())
    like = torch.zeros(1)
    with reading(packed) as now:
        for keys in range(queries, queries + 19):
            mask = now.mask(like, queries, keys, 2048, None)
            moved = aligned(mask)
            assert torch.equal(moved, mask)
            assert moved.data_ptr() % 16 == 0
            assert moved.stride(0) % 8 == 0
