"""Tables of measurements for the tests of this room, and short ways to compute over them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from curate.metrics import registry

NOTHING_COMPLETE: frozenset[str] = frozenset()
# a slow machine is no fault of a formula
examples = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ISSUE_LIST = {
    "reward_margin",
    "dpo_margin",
    "simpo_margin",
    "dcrm",
    "alignment_potential",
    "bees",
    "dual_margin_add",
    "dual_margin_mul",
    "dpo_gap",
    "length_ratio",
    "length_difference",
    "ifd",
    "rm_agrees",
}
SIDES = ("chosen", "rejected")


def random_table(seed: int, rows: int) -> pl.DataFrame:
    """Every measurement that the catalogue reads, plus rewards of two named sources, `a` and `b`."""
    rng = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {}
    for side in SIDES:
        tokens = rng.integers(5, 200, rows)
        columns[f"{side}_tokens"] = tokens
        columns[f"policy_{side}_logps"] = -tokens * rng.gamma(4.0, 0.2, rows)
        columns[f"ref_{side}_logps"] = columns[f"policy_{side}_logps"] + rng.normal(0, 12, rows)
        columns[f"policy_{side}_alp_alone"] = -rng.gamma(4.0, 0.3, rows)
        columns[f"{side}_reward"] = rng.normal(0, 6, rows)
        columns[f"{side}_reward_a"] = rng.normal(0.5, 9, rows)
        columns[f"{side}_reward_b"] = rng.normal(0, 1, rows)
    columns["edit_distance_norm"] = rng.uniform(0, 1, rows)
    columns["embedding_distance"] = rng.uniform(0, 2, rows)
    return pl.DataFrame(columns)


@st.composite
def tables(draw: st.DrawFn, max_rows: int = 12) -> pl.DataFrame:
    """Small tables with many ties; log-probabilities are tokens * k / 64, so that per-token values are exact."""
    rows = draw(st.integers(1, max_rows))

    def column(values: st.SearchStrategy[float]) -> np.ndarray:
        return np.array(draw(st.lists(values, min_size=rows, max_size=rows)), dtype=float)

    columns: dict[str, np.ndarray] = {}
    for side in SIDES:
        columns[f"{side}_tokens"] = column(st.integers(1, 200))
        for model in ("policy", "ref"):
            per_token = column(st.integers(-320, 0)) / 64
            columns[f"{model}_{side}_logps"] = columns[f"{side}_tokens"] * per_token
        columns[f"policy_{side}_alp_alone"] = column(st.integers(-320, -1)) / 64
        for source in ("", "_a", "_b"):
            columns[f"{side}_reward{source}"] = column(st.integers(-1280, 1280)) / 64
    columns["edit_distance_norm"] = column(st.integers(0, 64)) / 64
    columns["embedding_distance"] = column(st.integers(0, 128)) / 64
    return pl.DataFrame(columns)


def swapped(frame: pl.DataFrame) -> pl.DataFrame:
    """The same table with the chosen and the rejected side exchanged."""
    other = {"chosen": "rejected", "rejected": "chosen"}
    return frame.rename(
        {name: name.replace(side, other[side]) for name in frame.columns for side in SIDES if side in name}
    )


def values(
    name: str,
    frame: pl.DataFrame | Mapping[str, Any],
    complete: frozenset[str] = NOTHING_COMPLETE,
    **parameters: Any,
) -> list[float | None]:
    """One metric over a table, nulls as None."""
    return registry.compute(name, pl.DataFrame(frame), {name: parameters}, complete)[0].to_list()


def floats(column: list[float | None]) -> np.ndarray:
    """The values as an array with NaN for None."""
    return np.array([np.nan if value is None else value for value in column], dtype=float)


def arrays(frame: pl.DataFrame) -> dict[str, np.ndarray]:
    """The columns as arrays with NaN for null, for formulas written in plain NumPy."""
    return {name: floats(frame[name].to_list()) for name in frame.columns}


def with_holes(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The table with one value in twenty made null."""
    rng = np.random.default_rng(seed)
    return frame.with_columns(
        pl.when(pl.Series(rng.random(frame.height) > 0.05)).then(pl.col(name)).alias(name) for name in frame.columns
    )
