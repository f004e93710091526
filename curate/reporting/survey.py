"""What `curate inspect` concludes from its counts: problems by severity, and how far length explains the labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curate.reporting.issues import severity_of
from curate.reporting.statistics import Differences
from curate.responses.tally import Tally
from curate.schema import FLAG_MEANINGS

SEVERITIES = {3: "high", 2: "medium", 1: "low"}


@dataclass(frozen=True)
class Problem:
    """Something that may be wrong with some rows.

    Attributes:
        name: the flag.
        severity: high, medium or low.
        rows: how many rows have it.
        meaning: in one line.
        places: the first of them.
    """

    name: str
    severity: str
    rows: int
    meaning: str
    places: list[str]


@dataclass(frozen=True)
class LengthRuler:
    """How far length alone explains the labels.

    Attributes:
        longer_wins: share of the pairs whose lengths differ in which the chosen response is the longer one; None if
            there is no such pair.
        auc: of the difference in words for the label: 0.5 where length says nothing, 1 where the longer one always
            wins, 0 where the shorter one does; None without pairs.
        pairs: pairs whose lengths differ.
        chosen: mean words of the chosen responses.
        rejected: mean words of the rejected ones.
    """

    longer_wins: float | None
    auc: float | None
    pairs: int
    chosen: float
    rejected: float


def problems(tally: Tally) -> list[Problem]:
    """The flags that were counted, most severe first, then most frequent."""
    named = sorted(tally.flags.items(), key=lambda one: (-severity_of(one[0]), -one[1], one[0]))
    return [
        Problem(flag, SEVERITIES[severity_of(flag)], rows, FLAG_MEANINGS[flag], tally.places[flag])
        for flag, rows in named
    ]


def length_ruler(tally: Tally) -> LengthRuler | None:
    """The ruler over the pairs that are not ties; None without any."""
    if not tally.pair_words:
        return None
    chosen, rejected = np.array(tally.pair_words, np.float64).T
    difference = chosen - rejected
    unequal = int((difference != 0).sum())
    wins = float((difference > 0).sum()) / unequal if unequal else None
    return LengthRuler(wins, Differences(difference).auc(), unequal, float(chosen.mean()), float(rejected.mean()))
