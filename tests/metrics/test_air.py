import numpy as np
import polars as pl
import pytest
from hypothesis import given

from curate.errors import SettingsError

from .tables import arrays, few, floats, random_table, tables, values, with_holes

FRAME = {"chosen_reward": [1.0, 5.0, 4.0, 9.0, 6.0], "rejected_reward": [0.0, 3.0, 1.0, 1.0, 2.0]}


def test_golden() -> None:
    # the median of r+ is 5; margins 1, 2, 3, 8, 4 have quartiles 2 and 4, which are in the band
    assert values("air", FRAME) == [0.0, 1.0, 0.0, 0.0, 1.0]
    assert values("air", FRAME, quantile=0.25) == [0.0, 1.0, 1.0, 0.0, 1.0]
    assert values("air", FRAME, low=0.5, high=1.0) == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_against_numpy() -> None:
    frame = with_holes(random_table(seed=9, rows=301), seed=10)
    of = arrays(frame)
    chosen, margin = of["chosen_reward"], of["chosen_reward"] - of["rejected_reward"]
    low, high = np.nanquantile(margin, [0.25, 0.75])
    wanted = (chosen >= np.nanquantile(chosen, 0.5)) & (low <= margin) & (margin <= high)
    np.testing.assert_array_equal(floats(values("air", frame)), np.where(np.isnan(margin), np.nan, wanted))


@few
@given(tables())
def test_a_wider_band_or_a_lower_bar_drops_nothing(frame: pl.DataFrame) -> None:
    found = floats(values("air", frame))
    for wider in ({"quantile": 0.25}, {"low": 0.0}, {"high": 1.0}):
        assert (floats(values("air", frame, **wider)) >= found).all()
    assert values("air", frame, quantile=0.0, low=0.0, high=1.0) == [1.0] * frame.height


@pytest.mark.parametrize("given_", [{"low": 1.2}, {"high": -0.1}, {"quantile": float("nan")}])
def test_a_share_is_between_0_and_1(given_: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="air"):
        values("air", FRAME, **given_)
