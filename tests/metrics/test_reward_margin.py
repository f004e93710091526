import numpy as np
import polars as pl
from hypothesis import given

from .tables import arrays, few, floats, random_table, swapped, tables, values, with_holes


def test_golden_reward_margin() -> None:
    # 1.5 - (-0.25) = 1.75
    assert values("reward_margin", {"chosen_reward": [1.5], "rejected_reward": [-0.25]}) == [1.75]


def test_golden_rm_agrees() -> None:
    # margins: 1.5 - (-0.25) = 1.75 > 0, yes; 2 - 2 = 0, a tie counts as no; -1 - 3 = -4, no; null stays null
    frame = {"chosen_reward": [1.5, 2.0, -1.0, None], "rejected_reward": [-0.25, 2.0, 3.0, 1.0]}
    assert values("rm_agrees", frame) == [1.0, 0.0, 0.0, None]


def test_as_the_spec_reads() -> None:
    frame = with_holes(random_table(seed=1, rows=300), seed=2)
    a = arrays(frame)
    margin = a["chosen_reward"] - a["rejected_reward"]
    agrees = np.where(np.isnan(margin), np.nan, np.where(margin > 0, 1.0, 0.0))
    assert 0 < np.isnan(margin).sum() < 60
    np.testing.assert_array_equal(floats(values("reward_margin", frame)), margin)
    np.testing.assert_array_equal(floats(values("rm_agrees", frame)), agrees)


@few
@given(tables())
def test_swapping_sides_negates_the_margin(frame: pl.DataFrame) -> None:
    forward, backward = values("reward_margin", frame), values("reward_margin", swapped(frame))
    assert backward == [-value for value in forward]


@few
@given(tables())
def test_a_pair_and_its_swap_never_both_agree(frame: pl.DataFrame) -> None:
    both = zip(values("rm_agrees", frame), values("rm_agrees", swapped(frame)), strict=True)
    for (forward, backward), margin in zip(both, values("reward_margin", frame), strict=True):
        assert forward + backward == (0 if margin == 0 else 1)
