"""The pictures, decoded again by hand: their size, their bars, and that equal numbers give equal bytes."""

import itertools
import struct
import zlib

import numpy as np
import pytest

from curate.cards.png import BLUE, BOTTOM, HEIGHT, INK, LEFT, ORANGE, RIGHT, TOP, WIDTH, histogram


def pixels(file: bytes) -> np.ndarray:
    """The palette indices of a PNG file, its checksums verified."""
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    found, place, size = b"", 8, (0, 0)
    while place < len(file):
        (length,) = struct.unpack(">I", file[place : place + 4])
        kind, content = file[place + 4 : place + 8], file[place + 8 : place + 8 + length]
        assert zlib.crc32(kind + content) == struct.unpack(">I", file[place + 8 + length : place + 12 + length])[0]
        if kind == b"IHDR":
            size = struct.unpack(">II", content[:8])
        found += content if kind == b"IDAT" else b""
        place += 12 + length
    width, height = size
    return np.frombuffer(zlib.decompress(found), np.uint8).reshape(height, width + 1)[:, 1:]


def test_a_bar_is_as_high_as_its_count_is_of_the_largest() -> None:
    picture = pixels(histogram([np.array([4, 1, 0, 2])], np.arange(5.0)))
    assert picture.shape == (HEIGHT, WIDTH)
    places = np.linspace(LEFT, WIDTH - RIGHT, 5).round().astype(int)
    tall = [int((picture[:, (a + b) // 2] == BLUE).sum()) for a, b in itertools.pairwise(places)]
    full = HEIGHT - TOP - BOTTOM
    assert tall == [full, full // 4, 0, full // 2]
    assert not (picture == ORANGE).any()


def test_two_sides_stand_next_to_each_other() -> None:
    picture = pixels(histogram([np.array([2]), np.array([1])], np.array([0.0, 1.0])))
    assert (picture == BLUE).sum() == pytest.approx(2 * (picture == ORANGE).sum(), rel=0.01)


@pytest.mark.parametrize("edges", [[0.0, 1.0], [-3e-7, 4e-7], [1e12, 3e12], [5.0, 5.0000001], [-1e-300, 1e-300]])
def test_any_scale_has_numbers_along_its_axis(edges: list[float]) -> None:
    picture = pixels(histogram([np.array([1])], np.array(edges)))
    assert (picture[HEIGHT - BOTTOM + 6 :] == INK).any()


def test_equal_numbers_give_equal_bytes() -> None:
    made = [histogram([np.arange(30)], np.linspace(0, 1, 31)) for _ in range(2)]
    assert made[0] == made[1]
    assert len(made[0]) < 4000
