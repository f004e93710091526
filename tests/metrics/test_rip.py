import numpy as np
import polars as pl

from curate.metrics.registry import compute

FRAME = pl.DataFrame(
    {
        "chosen_reward": [3.0, 5.0, 4.0, 9.0],
        "rejected_reward": [1.0, 2.0, 3.0, 4.0],
        "rejected_tokens": [40, 10, 30, 20],
    }
)


def test_golden() -> None:
    # medians: r- 2.5, n- 25; margins 2, 3, 1, 5 with median 2.5
    # only the third has r- 3 >= 2.5, n- 30 >= 25 and margin 1 <= 2.5
    assert compute("rip", FRAME, {})[0].to_list() == [0.0, 0.0, 1.0, 0.0]


def test_against_numpy_and_nulls() -> None:
    drawn = np.random.default_rng(5)
    chosen, rejected, tokens = drawn.normal(size=301), drawn.normal(size=301), drawn.integers(1, 90, 301).astype(float)
    frame = pl.DataFrame({"chosen_reward": chosen, "rejected_reward": rejected, "rejected_tokens": tokens})
    margin = chosen - rejected
    wanted = (rejected >= np.median(rejected)) & (tokens >= np.median(tokens)) & (margin <= np.median(margin))
    assert compute("rip", frame, {})[0].to_list() == wanted.astype(float).tolist()
    broken = frame.with_columns(rejected_tokens=pl.Series([None, *tokens[1:]]))
    assert compute("rip", broken, {})[0][0] is None


def test_the_median_itself_is_close_good_and_long_enough() -> None:
    # three rows: medians r- 2, n- 20, margin 1, all of them in the second row
    frame = pl.DataFrame(
        {"chosen_reward": [3.0, 3.0, 3.0], "rejected_reward": [3.0, 2.0, 1.0], "rejected_tokens": [10, 20, 30]}
    )
    assert compute("rip", frame, {})[0].to_list() == [0.0, 1.0, 0.0]
