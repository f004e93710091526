"""Racing with bounds finds the very candidates that measuring all of them finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.pairs.best_first import best_first, hopeful
from tests.examples import examples

# few values, so that merits, margins and bounds meet often
VALUES = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.5])


@st.composite
def races(draw: st.DrawFn) -> dict[str, np.ndarray]:
    """Candidates of a few groups; some have no merit, and some bounds say nothing."""
    sizes = draw(st.lists(st.integers(1, 9), max_size=4))
    count = sum(sizes)

    def column(values: st.SearchStrategy[float]) -> np.ndarray:
        return np.array(draw(st.lists(values, min_size=count, max_size=count)), float)

    merits = np.where(column(st.sampled_from([0, 0, 0, 1])) == 1, -np.inf, column(VALUES))
    unknown = (column(st.sampled_from([0, 0, 1])) == 1) | ((merits == -np.inf) & (column(st.sampled_from([0, 1])) == 1))
    slack = np.abs(column(VALUES)), np.abs(column(VALUES))
    return {
        "groups": np.repeat(np.arange(len(sizes)) * 3, sizes),
        "merits": merits,
        "margins": column(VALUES),
        "least": np.where(unknown, -np.inf, merits - slack[0]),
        "most": np.where(unknown, np.inf, merits + slack[1]),
    }


def best(race: dict[str, np.ndarray], keep: int, among: np.ndarray) -> dict[int, list[int]]:
    """Per group the best positions, by sorting."""
    found: dict[int, list[int]] = {}
    for p in sorted(among.tolist(), key=lambda p: (-race["merits"][p], -race["margins"][p], p)):
        if race["merits"][p] > -np.inf:
            found.setdefault(int(race["groups"][p]), []).append(p)
    return {group: places[:keep] for group, places in found.items()}


def run(race: dict[str, np.ndarray], keep: int, break_off: bool = True) -> tuple[np.ndarray, list[int]]:
    """The positions that the race found to be the best, and those for which it asked, in order."""
    left = hopeful(race["groups"], race["least"], race["most"], keep)
    asked: list[int] = []

    def measure(places: np.ndarray, to_reach: np.ndarray) -> np.ndarray:
        asked.extend(left[places].tolist())
        merits = race["merits"][left[places]]
        return np.where(break_off & (merits < to_reach), -np.inf, merits)

    found = best_first(race["groups"][left], race["most"][left], race["margins"][left], keep, measure)
    return left[found], asked


@examples(4)
@given(races(), st.integers(1, 12), st.booleans())
def test_the_best_are_the_best_of_all(race: dict[str, np.ndarray], keep: int, break_off: bool) -> None:
    found, asked = run(race, keep, break_off)
    wanted = best(race, keep, np.arange(race["merits"].size))
    assert found.tolist() == sorted(p for places in wanted.values() for p in places)
    assert len(set(asked)) == len(asked), "each is measured once"
    assert set(found.tolist()) <= set(asked)


@examples(2)
@given(races(), st.integers(1, 4))
def test_exact_bounds_leave_only_the_best_to_be_measured(race: dict[str, np.ndarray], keep: int) -> None:
    found, asked = run(race | {"least": race["merits"], "most": race["merits"]}, keep)
    assert sorted(asked) == found.tolist()


def test_a_race_by_hand() -> None:
    # The most promising is measured first (merit 3); 2.5 cannot win any more; 3 can, by its larger margin.
    groups, most = np.array([0, 0, 0, 0]), np.array([2.5, 3.0, 4.0, 3.0])
    margins, merits = np.array([9.0, 1.0, 2.0, 3.0]), np.array([2.5, 3.0, 3.0, 2.0])
    asked: list[tuple[list[int], list[float]]] = []

    def measure(places: np.ndarray, to_reach: np.ndarray) -> np.ndarray:
        asked.append((places.tolist(), to_reach.tolist()))
        return merits[places]

    assert best_first(groups, most, margins, 1, measure).tolist() == [2]
    assert asked == [([2], [-np.inf]), ([3], [3.0])]


@pytest.mark.parametrize(("keep", "left"), [(1, [1]), (2, [0, 1, 2]), (3, [0, 1, 2]), (4, [0, 1, 2])])
def test_hope_by_hand(keep: int, left: list[int]) -> None:
    # At least 2 for the best: 1.9 and 1 at most cannot be it. The fourth has no merit.
    most = np.array([1.9, 3.0, 1.0, -np.inf])
    assert hopeful(np.zeros(4, int), np.array([1.0, 2.0, 0.0, -np.inf]), most, keep).tolist() == left


def test_nobody_races() -> None:
    none = np.zeros(0)
    assert hopeful(none.astype(int), none, none, 1).size == 0
    assert best_first(none.astype(int), none, none, 1, lambda places, _: none).size == 0


def test_a_long_race_is_run_in_few_calls() -> None:
    count, calls = 2000, 0

    def measure(places: np.ndarray, _: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        asked.extend(places.tolist())
        return np.zeros(places.size)

    asked: list[int] = []
    assert best_first(np.zeros(count, int), np.ones(count), np.zeros(count), 1, measure).tolist() == [0]
    assert sorted(asked) == list(range(count))
    assert calls < 60
