"""What a selection did with one row: its rule, the cut, and how far the row is from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """What a selection did with the pair.

    Attributes:
        reason: why it was not kept; None if it was.
        rule: the selection's settings, as the command line spells them.
        by: what ranked the rows, None without a ranking.
        value: the pair's value of it.
        cut: the worst value kept.
        distance: how far the pair is beyond the cut, in units of the metric; negative if it falls short.
        rank: the pair's place among the rows with a value (with `--per`, in its group), the best first, from 1.
        ranked: how many these are.
    """

    reason: str | None
    rule: str
    by: str | None
    value: float | None
    cut: float | None
    distance: float | None
    rank: int | None
    ranked: int


def against_cut(
    values: np.ndarray, kept: np.ndarray, row: int, best_high: bool
) -> tuple[float | None, float | None, float | None, int | None, int]:
    """The pair's value, the cut, the distance between them, the pair's rank, and how many rows have one."""
    ranked = int(np.isfinite(values).sum())
    among = values[kept & np.isfinite(values)]
    cut = float(among.min() if best_high else among.max()) if among.size else None
    value = float(values[row])
    if np.isnan(value):
        return None, cut, None, None, ranked
    distance = None if cut is None else (value - cut) * (1 if best_high else -1)
    better = values > value if best_high else values < value
    return value, cut, distance, 1 + int(better.sum()), ranked


def spelled(given: Mapping[str, Any]) -> str:
    """Settings as options of the command line."""
    words = []
    for name, value in given.items():
        if name == "options":
            words += [f"--set {metric}.{key}={one}" for metric, own in value.items() for key, one in own.items()]
        elif value is True:
            words.append(f"--{name.replace('_', '-')}")
        elif isinstance(value, Mapping):
            words.append(f"--{name.replace('_', '-')} {','.join(f'{key}={one:g}' for key, one in value.items())}")
        elif value is not False:
            text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            shown = f'"{text}"' if " " in text else text
            words.append(f"--{name.replace('_', '-')} {shown}")
    return " ".join(words)
