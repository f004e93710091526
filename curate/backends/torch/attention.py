"""Attention over packed rows: each token sees its own row up to itself, and nothing is computed only to be masked.

Registered with transformers under one name. A model set to it treats the packed tokens as one long sequence in every
other respect; the caller must check that its numbers equal those of a batch of one.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.backends.torch.packing import Pack, to_device
from curate.backends.torch.structure import distance

if TYPE_CHECKING:
    import torch

NAME = "curate_packed"
CPU_QUERIES = 128
GPU_QUERIES = 2048
"""Queries per call. Fewer: keys that none of them sees can be left out. More: fewer calls."""
MEANT_FOR_OTHERS = ("s_aux", "position_bias", "indices", "block_indices", "cache")
"""Arguments that some models pass to their attention and that are not supported here."""


class CannotPack(Exception):
    """This architecture needs something from attention that packing does not support."""


@dataclass
class Reading:
    """One forward pass over a pack: the pack, and what the model's layers requested of attention.

    Attributes:
        device: the model's device.
        varlen: whether to call flash attention once for all rows, on a GPU.
        windows: the sliding window of each attention layer in tokens, None for none.
        checked: whether each layer's attention is computed again in float32.
        off: the largest difference found, relative to the largest value.
    """

    pack: Pack
    device: str = "cpu"
    varlen: bool = False
    windows: list[int | None] = field(default_factory=list)
    checked: bool = False
    off: float = 0.0
    _masks: dict[int | None, torch.Tensor] = field(default_factory=dict)

    def mask(self, like: torch.Tensor, queries: int, keys: int, block: int, window: int | None) -> torch.Tensor:
        """What is added to the scores [queries, keys] of the last `queries` of `keys` tokens: 0 or minus infinity.

        All masks of a pack are slices of one: without its first columns it fits a row with fewer tokens before its
        queries.
        """
        import torch

        before = max(len(one.keys) for one in self.pack.segments)
        if window not in self._masks:
            query = torch.arange(before, before + block, device=like.device)[:, None]
            key = torch.arange(before + block, device=like.device)
            hidden = key > query if window is None else (key > query) | (key <= query - window)
            mask = torch.zeros(hidden.shape, dtype=like.dtype, device=like.device)
            self._masks[window] = mask.masked_fill_(hidden, -torch.inf)
        return self._masks[window][:queries, before - (keys - queries) : before + queries]

    @cached_property
    def segment_keys(self) -> list[torch.Tensor | None]:
        """The packed positions of each segment's row; None if they are consecutive."""
        return [None if one.together else to_device(one.keys, self.device) for one in self.pack.segments]

    @cached_property
    def keys(self) -> torch.Tensor | None:
        """The segments' rows concatenated, as packed positions; None if that is the pack itself."""
        return None if self.pack.keys is None else to_device(self.pack.keys, self.device)

    @cached_property
    def spans(self) -> dict[str, Any]:
        """Starts and lengths of rows, in the terms of torch.nn.attention.varlen."""
        starts = {"cu_seq_q": self.pack.query_starts, "cu_seq_k": self.pack.key_starts}
        spans: dict[str, Any] = {k: to_device(np.array(v, np.int32), self.device) for k, v in starts.items()}
        spans["max_q"] = max(one.end - one.begin for one in self.pack.segments)
        spans["max_k"] = max(len(one.keys) for one in self.pack.segments)
        return spans


READING: ContextVar[Reading | None] = ContextVar("READING", default=None)


@contextmanager
def reading(pack: Pack, device: str = "cpu", varlen: bool = False, *, checked: bool = False) -> Iterator[Reading]:
    """Within this block, models set to packed attention read this pack."""
    now = Reading(pack, device, varlen, checked=checked)
    token = READING.set(now)
    try:
        yield now
    finally:
        READING.reset(token)


def register() -> None:
    """Register the attention with transformers, which builds no masks for an attention without registered masks."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, packed_attention)


def has_varlen(device: str, dtype: torch.dtype) -> bool:
    """Whether this torch has variable-length flash attention with the options needed here."""
    import torch

    if not device.startswith("cuda") or dtype not in (torch.bfloat16, torch.float16):
        return False
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return False
    return {"window_size", "enable_gqa", "scale"} <= set(inspect.signature(varlen_attn).parameters)


def packed_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of every row to itself; called by the model's layers.

    Args:
        module: the layer.
        query: [1, heads, T, width] over the packed tokens; key and value may have fewer heads.
        key: see query.
        value: see query.
        attention_mask: expected to be None.
        scaling: scaling of the scores; 1 / sqrt(width) if None.
        sliding_window: how many tokens each token sees, including itself; None for all before it.
        softcap: scores become cap * tanh(score / cap).
        others: other arguments from the layer.

    Returns:
        [1, T, heads, width], and None for the weights.

    Raises:
        CannotPack: the layer needs more than this, or is not causal.
    """
    now = READING.get()
    causal = others.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal
    foreign = [name for name in MEANT_FOR_OTHERS if others.get(name) is not None]
    if now is None or foreign or not causal or attention_mask is not None:
        raise CannotPack(", ".join(foreign) or "no causal attention over one pack")
    if query.shape[0] != 1 or not query.shape[2] == key.shape[2] == len(now.pack.ids):
        raise CannotPack("attention over other tokens than those of the pack")
    now.windows.append(sliding_window)
    if now.varlen and softcap is None:
        out = _varlen(now, query, key, value, scaling, sliding_window)
    else:
        out = _by_segment(now, query, key, value, scaling, sliding_window, softcap)
    if now.checked:
        now.off = max(now.off, distance(now.pack, out, query, key, value, scaling, sliding_window, softcap))
    return out, None


def _varlen(
    now: Reading,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float | None,
    window: int | None,
) -> torch.Tensor:
    """One call of flash attention for all rows; its causal mask aligns a row's last query with its last key."""
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = (one[0].transpose(0, 1) for one in (query, key, value))  # [T, heads, width]
    if now.keys is not None:
        key, value = key.index_select(0, now.keys), value.index_select(0, now.keys)
    out: Any = varlen_attn(
        query.contiguous(),
        key.contiguous(),
        value.contiguous(),
        **now.spans,
        scale=scaling,
        window_size=(-1 if window is None else window - 1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    packed: torch.Tensor = out[None]
    return packed


def _by_segment(
    now: Reading,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> torch.Tensor:
    import torch

    block = GPU_QUERIES if query.is_cuda else CPU_QUERIES
    found = []
    for segment, picked in zip(now.pack.segments, now.segment_keys, strict=True):
        if picked is None:
            keys, values = (one[:, :, segment.end - len(segment.keys) : segment.end] for one in (key, value))
        else:
            keys, values = (one.transpose(1, 2).index_select(1, picked).transpose(1, 2) for one in (key, value))
        for begin in range(segment.shared, len(segment.keys), block):
            end = min(begin + block, len(segment.keys))
            first = 0 if window is None else max(0, begin + 1 - window)
            queries = query[:, :, segment.end - len(segment.keys) + begin :][:, :, : end - begin]
            hides = window if window is not None and end > window else None
            seen = queries, keys[:, :, first:end], values[:, :, first:end]
            if softcap is None and first == begin and hides is None:
                out = _attend(*seen, None, scaling)
            else:
                mask = now.mask(query, end - begin, end - first, block, hides)
                out = _attend(*seen, mask, scaling) if softcap is None else _capped(*seen, mask, scaling, softcap)
            found.append(out.transpose(1, 2))
    return torch.cat(found, 1)


def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float | None
) -> torch.Tensor:
    import torch

    if mask is not None and query.is_cuda:
        mask = aligned(mask)
    return torch.nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        is_causal=mask is None,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )


def aligned(mask: torch.Tensor) -> torch.Tensor:
    """The same mask [queries, keys], starting on its own memory, with rows a multiple of 8 numbers apart.

    CUDA's memory-efficient attention reads masks 16 bytes at a time. PyTorch copies masks with other row strides, but
    not masks that only start at another offset: that is an error, or a fault that ends the process.
    """
    import torch

    keys = mask.shape[1]
    return torch.nn.functional.pad(mask, (0, -keys % 8))[:, :keys]


def _capped(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor,
    scaling: float | None,
    cap: float,
) -> torch.Tensor:
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scores = (query @ key.transpose(2, 3)).float() * (scaling or query.shape[-1] ** -0.5)
    scores = cap * (scores / cap).tanh() + mask
    return scores.softmax(-1).to(query.dtype) @ value
