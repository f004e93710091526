"""The figures of a selection next to those of all rows and of a random control, with 95% intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from curate.reporting.bootstrap import Estimate, Prompts, Ratio, mean_of
from curate.reporting.columns import Columns, Group
from curate.reporting.statistics import Differences
from curate.reporting.texts import Texts

PERCENTS = range(1, 101)
GROUPS = 2
"""Groups whose shares are followed through every cut and every draw."""
CURVE_DRAWS = 200
"""The slider's curves need a control for every size; their draws are fewer, so that a million rows take seconds."""
LONGER, LENGTH_AUC, MARKDOWN_AUC = "longer_wins", "length_auc", "markdown_auc"


def longer_wins(length: tuple[np.ndarray, np.ndarray]) -> Ratio:
    """How often the longer response is the chosen one, of the pairs whose lengths differ."""
    chosen, rejected = length
    return (chosen > rejected).astype(np.float64), (np.abs(chosen - rejected) > 0).astype(np.float64)


def ratios_of(columns: Columns) -> dict[str, Ratio]:
    """The figures that are ratios of sums, by key: `mean:COLUMN` and `longer_wins`."""
    found = {f"mean:{one.name}": mean_of(one.values) for one in columns.numbers}
    if columns.margin is not None and "mean:reward_margin" not in found:
        found["mean:reward_margin"] = mean_of(columns.margin)
    if columns.length is not None:
        found[LONGER] = longer_wins(columns.length)
    return found


def differences_of(columns: Columns, texts: Texts | None) -> dict[str, np.ndarray]:
    """Chosen minus rejected of what may bias a label, by the key of its AUC: float64 [rows]."""
    found = {}
    if columns.length is not None:
        found[LENGTH_AUC] = columns.length[0] - columns.length[1]
    if texts is not None:
        found[MARKDOWN_AUC] = texts.marks[0] - texts.marks[1]
    return found


def shares_of(groups: Sequence[Group], rows: int) -> dict[str, Ratio]:
    """The share of each value of each group, by key: `share:GROUP:PLACE`."""
    ones = np.ones(rows)
    return {
        f"share:{group.name}:{place}": ((group.codes == place).astype(np.float64), ones)
        for group in groups
        for place in range(len(group.values) + 1)
    }


def figures(
    columns: Columns,
    texts: Texts | None,
    prompts: np.ndarray,
    kept: np.ndarray | None,
    other: np.ndarray | None = None,
) -> dict[str, Any]:
    """Every figure of all rows; of the rows kept, of a random control of their number, and of another selection."""
    ratios = ratios_of(columns) | shares_of(columns.groups[:GROUPS], columns.rows)
    differences = differences_of(columns, texts)
    whole = Prompts(prompts, ratios, {name: Differences(one) for name, one in differences.items()})
    found: dict[str, Any] = {"all": _plain(whole.figures(np.ones(whole.count, np.int64)))}
    if kept is None or not kept.any():
        return found
    found["control"] = {name: one.plain() for name, one in whole.control(int(kept.sum())).items()}
    del whole
    found["kept"] = _figures_of(kept, prompts, ratios, differences)
    if other is not None and other.any():
        found["other"] = _figures_of(other, prompts, ratios, differences)
    return found


def _figures_of(
    mask: np.ndarray, prompts: np.ndarray, ratios: dict[str, Ratio], differences: dict[str, np.ndarray]
) -> dict[str, list[float | None]]:
    keys = np.unique(prompts[mask], return_inverse=True)[1]
    inside = {name: (above[mask], below[mask]) for name, (above, below) in ratios.items()}
    after = Prompts(keys, inside, {name: Differences(one[mask]) for name, one in differences.items()})
    return {name: one.plain() for name, one in after.resampled().items()}


def _plain(values: dict[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else float(value) for name, value in values.items()}


def cuts(columns: Columns, prompts: np.ndarray, orders: dict[str, np.ndarray]) -> dict[str, Any]:
    """What `--top 1%` to `--top 100%` by each metric keeps, exactly, and what random selections of those sizes have."""
    sizes = [columns.rows * percent // 100 for percent in PERCENTS]
    ratios = _of_curves(columns)
    controls = Prompts(prompts, ratios, {}).controls(sizes, CURVE_DRAWS)
    return {
        "percents": list(PERCENTS),
        "sizes": sizes,
        "control": {name: [_three(one) for one in estimates] for name, estimates in controls.items()},
        "metrics": {name: _curve(columns, name, order, sizes, ratios) for name, order in orders.items()},
    }


def _of_curves(columns: Columns) -> dict[str, Ratio]:
    found = {}
    if columns.margin is not None:
        found["margin"] = mean_of(columns.margin)
    if columns.length is not None:
        found["longer"] = longer_wins(columns.length)
        found["difference"] = mean_of(columns.length[0] - columns.length[1])
    return found


def _curve(
    columns: Columns, name: str, order: np.ndarray, sizes: list[int], ratios: dict[str, Ratio]
) -> dict[str, Any]:
    one = columns.find(name)
    assert one is not None
    kept = [min(size, order.size) for size in sizes]
    found: dict[str, Any] = {
        "kept": kept,
        "cut": [float(one.values[order[rows - 1]]) if rows else None for rows in kept],
    }
    for key, (above, below) in ratios.items():
        sums = [np.concatenate([[0.0], np.cumsum(part[order])])[kept] for part in (above, below)]
        found[key] = [_rounded(a / b) if b > 0 else None for a, b in zip(*sums, strict=True)]
    found["groups"] = {group.name: _mix(group, order, kept) for group in columns.groups[:GROUPS]}
    return found


def _mix(group: Group, order: np.ndarray, kept: list[int]) -> list[list[int]]:
    """Rows by value at each size: [values + 1][sizes]."""
    codes = group.codes[order]
    return [
        [int(n) for n in np.concatenate([[0], np.cumsum(codes == place)])[kept]]
        for place in range(len(group.values) + 1)
    ]


def _three(one: Estimate) -> list[float | None]:
    return [None if value is None else _rounded(value) for value in one.plain()]


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
