"""Warnings about results that could mislead: one function for each trap, None if it does not apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

FOLLOWS, IGNORED = 0.98, 0.95
"""Correlations of the combined reward with a source: from FOLLOWS on it decides alone, below IGNORED it hardly counts.

Two independent sources reach FOLLOWS if one spreads 5 times as wide as the other: 5 / sqrt(26).
"""
BELIEFS = frozenset({"bees", "dual_margin_mul"})
"""Metrics that are a probability that the label is right."""


def scales_note(rewards: Mapping[str, np.ndarray], combined: np.ndarray) -> str | None:
    """Warns that one reward source decides alone, usually because its scale is so much wider than the others'.

    Args:
        rewards: the rewards of all responses by source, NaN where missing.
        combined: the combined rewards, NaN where any source is missing.
    """
    known = np.isfinite(combined)
    spreads = {name: float(values[known].std()) if known.any() else 0.0 for name, values in rewards.items()}
    varied = {name: rewards[name][known] for name, spread in spreads.items() if spread > 0}
    if len(varied) < 2 or combined[known].std() == 0:
        return None
    likeness = {name: float(np.corrcoef(values, combined[known])[0, 1]) for name, values in varied.items()}
    first, last = max(likeness, key=likeness.__getitem__), min(likeness, key=likeness.__getitem__)
    if likeness[first] < FOLLOWS or likeness[last] >= IGNORED:
        return None
    shown = ", ".join(f"{name} {spreads[name]:.3g}" for name in varied)
    return (
        f"the combined reward follows {first} almost alone (correlation {likeness[first]:.3f}, with {last} "
        f"{likeness[last]:.2f}); standard deviations: {shown}. --reward-combine zmean gives each the same weight."
    )


def cut_note(by: str, values: np.ndarray, alive: np.ndarray, kept: np.ndarray, tie_breaker: str) -> str | None:
    """Warns that equal values are on both sides of the cut, so that something else decided which were kept.

    Args:
        by: what the rows are ranked by.
        values: float64 [rows], NaN where missing.
        alive: bool [rows]: the eligible rows.
        kept: bool [rows]: the rows kept.
        tie_breaker: what decides among equal values.
    """
    if not kept.any():
        return None
    for cut in {float(values[kept].min()), float(values[kept].max())}:
        equal = alive & (values == cut)
        inside = int((equal & kept).sum())
        if inside < int(equal.sum()):
            return (
                f"the cut falls among {int(equal.sum()):,} rows of equal {by} ({cut:.6g}): "
                f"{inside:,} of them {'was' if inside == 1 else 'were'} kept, in the order of their {tie_breaker}."
            )
    return None


def group_cuts_note(by: str, frame: pl.DataFrame, kept: np.ndarray, tie_breaker: str) -> str | None:
    """The same if each group has its own cut.

    Args:
        by: what the rows are ranked by.
        frame: the eligible rows, with the columns `row`, `value` and `group`.
        kept: bool [rows]: the rows kept.
        tie_breaker: what decides among equal values.
    """
    marked = frame.select("value", "group", kept=pl.Series(kept[frame["row"].to_numpy()])).drop_nulls("value")
    equal = marked.group_by("group", "value").agg(some=pl.col("kept").any(), every=pl.col("kept").all())
    split = equal.filter(pl.col("some") & ~pl.col("every"))["group"].n_unique()
    if not split:
        return None
    return (
        f"the cut falls among rows of equal {by} in {split:,} of {frame['group'].n_unique():,} groups; "
        f"there the rows were kept in the order of their {tie_breaker}."
    )


def labels_note(disagree: int, known: int) -> str | None:
    """Warns that the reward prefers the rejected response in most of the rows kept."""
    if 2 * disagree <= known:
        return None
    return (
        f"the reward prefers the rejected response in {disagree:,} of the {known:,} rows kept that have rewards: "
        "either the labels or the rewards are wrong there."
    )


def belief_note(by: str, values: np.ndarray) -> str | None:
    """Warns of kept rows whose margins contradict their label: a belief below 0.5. `values` are those kept."""
    against = int((values < 0.5).sum())
    if by not in BELIEFS or not against:
        return None
    return f"{against:,} of {values.size:,} rows kept have {by} below 0.5: their margins speak against the label."


def narrow_note(margins: np.ndarray, scale: float, explained: str) -> str | None:
    """Warns that dcrm is roughly margin / distance: most reward margins are small next to its scale (rewards in 0..1).

    Args:
        margins: reward margins, NaN where a reward is missing.
        scale: dcrm's parameter.
        explained: a sentence on how much the margin and the distance decided.
    """
    sizes = np.abs(margins[np.isfinite(margins)])
    if not sizes.size or sizes.max() == 0 or np.quantile(sizes, 0.95) > scale:
        return None
    return (
        f"dcrm: the reward margins are small next to its scale (95% are within {np.quantile(sizes, 0.95):.3g}, scale "
        f"{scale:g}), so it is about margin / distance. {explained} With --set dcrm.scale="
        f"{float(f'{sizes.std():.1g}'):g} clear margins count as more nearly equal, as with rewards that are logits."
    )


def top_tenth_note(frame: pl.DataFrame, used: dict[str, dict[str, Any]]) -> str | None:
    """What decides dcrm if the rewards have a narrow range, shown for its best tenth."""
    if "dcrm" not in used:
        return None
    margins, values = (frame[name].to_numpy() for name in ("reward_margin", "dcrm"))
    scale = float(used["dcrm"]["scale"])
    best = shares_explained(margins, values, _top_tenth(values), scale, "its top 10%")
    return narrow_note(margins, scale, best)


def shares_explained(margins: np.ndarray, dcrm: np.ndarray, kept: np.ndarray, scale: float, what: str) -> str:
    """How many rows chosen by dcrm would also be chosen by the margin alone, and by the distance alone.

    The distance ranks the rows of positive margin; it is the numerator of dcrm over dcrm.

    Args:
        margins: reward margins, float64 [rows], NaN where a reward is missing.
        dcrm: their dcrm, NaN where missing.
        kept: bool [rows]: the rows chosen.
        scale: dcrm's parameter.
        what: the name for these rows.
    """
    known = np.isfinite(margins) & np.isfinite(dcrm)
    positive = known & (margins > 0)
    nearness = np.full(margins.size, -np.inf)
    nearness[positive] = dcrm[positive] / np.tanh(margins[positive] / (2 * scale))
    shares = [100 * _overlap(values, kept & known) for values in (np.where(known, margins, -np.inf), nearness)]
    return (
        f"Of {what}, {shares[0]:.0f}% would also be chosen by the margin alone, {shares[1]:.0f}% by the distance alone."
    )


def _top_tenth(values: np.ndarray) -> np.ndarray:
    """The tenth of the rows with the highest values, at least one row, as a mask [rows]; never NaN, ties by row."""
    known = np.flatnonzero(~np.isnan(values))
    best = known[np.argsort(-values[known], kind="stable")[: max(1, values.size // 10)]]
    mask = np.zeros(values.size, bool)
    mask[best] = True
    return mask


def _overlap(values: np.ndarray, kept: np.ndarray) -> float:
    """The share of the rows kept that is among as many rows of highest value; 0 if none is kept."""
    wanted = int(kept.sum())
    if not wanted:
        return 0.0
    best = np.argpartition(-values, wanted - 1)[:wanted]
    return float(kept[best].sum() / wanted)
