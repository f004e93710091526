"""Histograms as small PNG files, drawn without a plotting library: bars, an axis, and numbers along it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 12, 28
"""Margins around the bars, in pixels."""
SCALE = 2
"""Pixels of the picture per pixel of a digit."""
WHITE, GREY, INK, BLUE, ORANGE = range(5)
COLOURS = ((255, 255, 255), (225, 228, 232), (87, 96, 106), (37, 99, 186), (227, 119, 28))
GLYPHS = {
    "0": (7, 5, 5, 5, 7), "1": (2, 6, 2, 2, 7), "2": (7, 1, 7, 4, 7), "3": (7, 1, 3, 1, 7), "4": (5, 5, 7, 1, 1),
    "5": (7, 4, 7, 1, 7), "6": (7, 4, 7, 5, 7), "7": (7, 1, 1, 2, 2), "8": (7, 5, 7, 5, 7), "9": (7, 5, 7, 1, 7),
    ".": (0, 0, 0, 0, 2), "-": (0, 0, 7, 0, 0), "+": (0, 2, 7, 2, 0), "e": (0, 7, 7, 4, 7),
}  # fmt: skip
"""Characters as five rows of three bits."""


def histogram(counts: Sequence[np.ndarray], edges: np.ndarray) -> bytes:
    """One or two histograms over the same bars as a PNG file; of two, the first is blue and the second orange.

    Args:
        counts: int64 [bars] each.
        edges: float64 [bars + 1], ascending.
    """
    picture = np.zeros((HEIGHT, WIDTH), np.uint8)
    highest = max(1, *(int(one.max(initial=0)) for one in counts))
    highest += highest > 1 and highest % 2  # its half is labelled too
    _draw_grid(picture, highest)
    _draw_bars(picture, counts, highest)
    bottom = HEIGHT - BOTTOM
    picture[bottom, LEFT : WIDTH - RIGHT] = INK
    for i in range(5):
        x = LEFT + (WIDTH - LEFT - RIGHT - 1) * i // 4
        picture[bottom : bottom + 4, x] = INK
        value = float(edges[0] + (edges[-1] - edges[0]) * i / 4)
        _write(picture, _number(value, float(edges[-1] - edges[0])), x, bottom + 10, (0, 0.5, 0.5, 0.5, 1)[i])
    return _encoded(picture)


def _draw_grid(picture: np.ndarray, highest: int) -> None:
    """Lines at half and full height, with their counts."""
    for share, count in ((1.0, highest), (0.5, highest / 2)):
        y = HEIGHT - BOTTOM - round((HEIGHT - TOP - BOTTOM) * share)
        picture[y, LEFT : WIDTH - RIGHT] = GREY
        _write(picture, f"{count:.4g}", LEFT - 6, y - 5, 1)


def _draw_bars(picture: np.ndarray, counts: Sequence[np.ndarray], highest: int) -> None:
    bars, bottom = counts[0].size, HEIGHT - BOTTOM
    places = np.linspace(LEFT, WIDTH - RIGHT, bars + 1).round().astype(int)
    for i in range(bars):
        left, right = int(places[i]), int(places[i + 1]) - 1
        wide = (right - left) / len(counts)
        for k, one in enumerate(counts):
            tall = round((HEIGHT - TOP - BOTTOM) * int(one[i]) / highest)
            tall = max(tall, int(one[i] > 0))
            picture[bottom - tall : bottom, left + round(k * wide) : left + round((k + 1) * wide)] = BLUE + k


def _number(value: float, span: float) -> str:
    """A number along the axis: as many digits as tell its neighbours apart."""
    if value and not 1e-4 <= max(abs(value), span) < 1e6:
        return f"{value:.2e}".replace("e-0", "e-").replace("e+0", "e+")
    return f"{value:.{max(0, 2 - int(np.floor(np.log10(span))))}f}" if span > 0 else f"{value:.4g}"


def _write(picture: np.ndarray, text: str, x: int, y: int, aligned: float) -> None:
    """Write digits; `aligned` is the share of the text that is left of x."""
    step = 4 * SCALE
    left = round(x - aligned * (len(text) * step - SCALE))
    for place, character in enumerate(text):
        bits = np.array([[row >> 2 & 1, row >> 1 & 1, row & 1] for row in GLYPHS[character]], bool)
        drawn = np.kron(bits, np.ones((SCALE, SCALE), bool))
        start = left + place * step
        if start < 0 or start + drawn.shape[1] > WIDTH:
            continue
        area = picture[y : y + drawn.shape[0], start : start + drawn.shape[1]]
        area[drawn[: area.shape[0]]] = INK


def _encoded(picture: np.ndarray) -> bytes:
    """A picture of palette indices as a PNG file."""
    height, width = picture.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), picture], axis=1).tobytes()
    palette = bytes(part for colour in COLOURS for part in colour)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_part(kind, content) for kind, content in parts)


def _part(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
