"""How many tokens fit in a GPU's memory next to a model's weights: arithmetic, before or after the model is loaded."""

from __future__ import annotations

LEAST_TOKENS, MOST_TOKENS, GPU_BYTES = 1024, 65536, 2**30
"""Limits for a batch's tokens, and the share of memory for its hidden states."""
LOGITS_TILE = (4096, 16384)
"""Rows and vocabulary entries whose float32 logits are held at a time: 256 MiB."""


def held_bytes(hidden: int, wide: int, itemsize: int) -> int:
    """Bytes that a token takes in the widest layer of a model that reads.

    Args:
        hidden: width of the hidden states.
        wide: width inside the feed-forward layer.
        itemsize: bytes of a number.
    """
    return (8 * hidden + 3 * wide) * itemsize


def fitting(beside_weights: float, held: int) -> int:
    """Tokens of a batch that is read: those that fit, within the limits, in steps of the smallest batch.

    Args:
        beside_weights: bytes of memory that the weights leave.
        held: bytes that a token takes.
    """
    tokens = int(min(GPU_BYTES, beside_weights / 2) / held)
    return max(LEAST_TOKENS, min(tokens, MOST_TOKENS)) // LEAST_TOKENS * LEAST_TOKENS


def cached_bytes(layers: int, width: int, itemsize: int) -> int:
    """Bytes of a token's keys and values in all layers.

    Args:
        layers: number of layers.
        width: width of the keys of one layer, which is that of its values too.
        itemsize: bytes of a number.
    """
    return 2 * layers * width * itemsize


def cacheable(beside_weights: float, cached: int) -> int:
    """Tokens whose keys and values fill half of the memory that the weights leave.

    Args:
        beside_weights: bytes of memory that the weights leave.
        cached: bytes that a token takes.
    """
    return int(max(1, beside_weights // 2 // cached))
