"""Which tokens see which: compares packed attention with the model's own masks, and with attention in float32.

A wrong mask may change log-probabilities by less than bfloat16 rounding, and the mask of a long sliding window shows
only in long rows. So the masks themselves are compared, with every window made small, and the attention of each layer
is compared with one computed in float32 from the same queries, keys and values, before errors can add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate.backends.torch.packing import Pack

if TYPE_CHECKING:
    import torch

OBSERVED = "curate_observed"
SMALL_WINDOW = 6
"""Tokens; rows of the self-check are several times as long."""
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.02, "float16": 0.004}
"""Maximum difference from float32 attention, relative to the largest value: rounding of the inputs' dtype, no more."""


@dataclass
class Observation:
    """One forward pass of a row, read by the model itself.

    Attributes:
        windows: the sliding window requested by each attention layer, None for none.
        as_asked: whether each layer's mask hides what comes later and what is beyond that window, and nothing else.
    """

    windows: list[int | None] = field(default_factory=list)
    as_asked: bool = True


OBSERVING: ContextVar[Observation | None] = ContextVar("OBSERVING", default=None)


def register_observer() -> None:
    """Register the observing attention with transformers, with explicit masks."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(OBSERVED, observed_attention)
    AttentionMaskInterface.register(OBSERVED, eager_mask)


@contextmanager
def observing() -> Iterator[Observation]:
    """Within this block, layers set to the observing attention report how they are masked."""
    now = Observation()
    token = OBSERVING.set(now)
    try:
        yield now
    finally:
        OBSERVING.reset(token)


def observed_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention under the mask that the model made, [1, n, heads, width]; the mask is compared with the window."""
    import torch

    now = OBSERVING.get()
    assert now is not None, "observing() comes first"
    now.windows.append(sliding_window)
    places = torch.arange(query.shape[2], device=query.device)
    wanted = sees(places[:, None], places, sliding_window)
    now.as_asked &= attention_mask is not None and torch.equal(attention_mask[0, 0] == 0, wanted)
    now.as_asked &= attention_mask is not None and attention_mask.shape[:2] == (1, 1)
    out = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=attention_mask, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
    )
    return out.transpose(1, 2).contiguous(), None


def sees(query: torch.Tensor, key: torch.Tensor, window: int | None) -> torch.Tensor:
    """Whether tokens at these positions of a row see those: themselves, and earlier ones within the window."""
    before = key <= query
    return before if window is None else before & (key > query - window)


def distance(
    pack: Pack,
    out: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> float:
    """How far attention over a pack is from explicitly masked float32 attention, relative to the largest value.

    Args:
        pack: the rows.
        out: the output to check, [1, T, heads, width].
        query: [1, heads, T, width]; key and value may have fewer heads.
        key: see query.
        value: see query.
        scaling: scaling of the scores; 1 / sqrt(width) if None.
        window: how many tokens each token sees, including itself; None for all before it.
        softcap: scores become cap * tanh(score / cap).
    """
    import torch

    groups = query.shape[1] // key.shape[1]
    keys, values = (one[0].float().repeat_interleave(groups, 0) for one in (key, value))
    scores = query[0].float() @ keys.transpose(1, 2) * (scaling or query.shape[-1] ** -0.5)
    scores = scores if softcap is None else softcap * (scores / softcap).tanh()
    hidden = ~_visible(pack, window).to(scores.device)
    right = scores.masked_fill(hidden, -torch.inf).softmax(-1) @ values  # [heads, T, width]
    off = (out[0].float() - right.transpose(0, 1)).abs().max() / values.abs().max().clamp(min=1e-30)
    return float(off) if torch.isfinite(off) else float("inf")


def _visible(pack: Pack, window: int | None) -> torch.Tensor:
    """Which packed tokens see which, bool [T, T], row by row."""
    import torch

    found = torch.zeros(len(pack.ids), len(pack.ids), dtype=torch.bool)
    for where in pack.where:
        row = torch.from_numpy(where)
        places = torch.arange(len(row))
        found[row[:, None], row] = sees(places[:, None], places, window)
    return found


@contextmanager
def small_windows(model: Any) -> Iterator[None]:
    """Within this block, the model's sliding windows span at most `SMALL_WINDOW` tokens: short rows then show them."""
    config = model.config.get_text_config()
    window: int | None = getattr(config, "sliding_window", None)
    holders = [one for one in (config, *model.modules()) if window and getattr(one, "sliding_window", None) == window]
    for one in holders:
        one.sliding_window = min(window or SMALL_WINDOW, SMALL_WINDOW)
    try:
        yield
    finally:
        for one in holders:
            one.sliding_window = window
