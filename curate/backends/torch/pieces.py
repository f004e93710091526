"""Layers that read each token alone, applied in pieces, so that their memory no longer grows with a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PIECE_BYTES = 2**28
"""Memory limit inside such a layer."""
ENDINGS = ("MLP", "RMSNorm")
"""Class-name suffixes of layers expected to be position-wise; each class is verified before it is patched."""
TRIED_TOKENS, TRIED_CUT = 8, 3


def read_in_pieces(model: Any, width: int, dtype: torch.dtype) -> int:
    """Make the feed-forward layers and norms of a model read many tokens in several pieces.

    The widest layers of a model are several times as wide as its hidden states, and norms copy these to float32. A
    layer is only changed after a check that its output for a token does not depend on the other tokens.

    Args:
        model: a transformers model, in evaluation mode.
        width: width of its hidden states.
        dtype: dtype of its hidden states.

    Returns:
        The number of layers changed.
    """
    alone: dict[tuple[Any, ...], bool] = {}
    changed = 0
    for layer in model.modules():
        if not type(layer).__name__.endswith(ENDINGS) or isinstance(layer.forward, _InPieces):
            continue
        kind = type(layer), *(one.shape for one in layer.parameters())
        if kind not in alone:
            alone[kind] = _reads_each_alone(layer, width, dtype)
        if alone[kind]:
            layer.forward = _InPieces(layer.forward, max(1, PIECE_BYTES // _held_bytes(layer, width)))
            changed += 1
    return changed


class _InPieces:
    """A layer's forward, run on a limited number of tokens at a time."""

    def __init__(self, forward: Callable[..., torch.Tensor], tokens: int) -> None:
        self._forward = forward
        self._tokens = tokens

    def __call__(self, *given: Any, **named: Any) -> torch.Tensor:
        """The layer's output for states [..., width]; any other arguments go straight to the layer."""
        pieces = -(-given[0][..., 0].numel() // self._tokens) if len(given) == 1 and not named else 1
        if pieces < 2:
            return self._forward(*given, **named)
        states: torch.Tensor = given[0]
        # Only one copy of the result at a time: concatenating pieces at the end would hold it twice.
        found = states.new_empty(states.shape)
        flat, into = (one.view(1, -1, one.shape[-1]).tensor_split(pieces, 1) for one in (states.contiguous(), found))
        for piece, place in zip(flat, into, strict=True):
            place.copy_(self._forward(piece))
        return found


def _held_bytes(layer: Any, width: int) -> int:
    """Bytes that the layer holds per token: about three times its widest side; for a norm, three float32 copies."""
    matrices = [one for one in layer.parameters() if one.dim() > 1]
    if not matrices:
        return 3 * 4 * width
    return 3 * max(int(max(one.shape[-2:]) * one.element_size()) for one in matrices)


def _reads_each_alone(layer: Any, width: int, dtype: torch.dtype) -> bool:
    """Whether changing the states before or after some tokens leaves their output the same, to the last bit."""
    import torch

    weight = next(layer.parameters(), None)
    if weight is None:
        return False
    drawn = torch.Generator().manual_seed(0)
    given, other = (torch.randn(1, TRIED_TOKENS, width, generator=drawn).to(weight.device, dtype) for _ in range(2))
    mixed = [torch.cat([one[:, :TRIED_CUT], two[:, TRIED_CUT:]], 1) for one, two in ((given, other), (other, given))]
    with torch.inference_mode():
        try:
            whole, first, second = (layer(states) for states in (given, *mixed))
        except Exception:
            # It needs something other than hidden states of this width, and may say so with any error.
            return False
    if not isinstance(whole, torch.Tensor) or whole.shape != given.shape or whole.dtype != given.dtype:
        return False
    kept = torch.equal(whole[:, :TRIED_CUT], first[:, :TRIED_CUT])
    return kept and torch.equal(whole[:, TRIED_CUT:], second[:, TRIED_CUT:])
