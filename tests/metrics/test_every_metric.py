"""What holds for every metric of the catalogue, with every variant that reads other columns."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.metrics import registry

from .tables import ISSUE_LIST, NOTHING_COMPLETE, examples, floats, random_table, tables, values

ALL_TERMS = "edit,logp,embedding,logp_sum"
CASES: list[tuple[str, dict[str, Any]]] = [
    ("reward_margin", {}),
    ("rm_agrees", {}),
    ("dpo_margin", {}),
    ("dpo_gap", {}),
    ("simpo_margin", {}),
    ("length_ratio", {}),
    ("length_difference", {}),
    ("dcrm", {}),
    ("dcrm", {"distance": ALL_TERMS}),
    ("alignment_potential", {}),
    ("alignment_potential", {"form": "raw"}),
    ("alignment_potential", {"form": "raw", "implicit": "dpo"}),
    ("bees", {}),
    ("bees", {"sources": "a,b"}),
    ("dual_margin_mul", {}),
    ("dual_margin_add", {}),
    ("ifd", {}),
]
every_metric = pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
BROKEN = [None, float("nan"), float("inf"), float("-inf")]


def columns_of(name: str, parameters: dict[str, Any]) -> tuple[str, ...]:
    """The columns that decide a value; bees with sources asks for the combined reward but does not use it."""
    read = registry.columns_read(name, {name: parameters}, NOTHING_COMPLETE)
    unused = ("chosen_reward", "rejected_reward") if "sources" in parameters else ()
    return tuple(column for column in read if column not in unused)


@every_metric
@examples
@given(tables(), st.randoms(use_true_random=False))
def test_row_order_does_not_matter(name: str, parameters: dict[str, Any], frame: pl.DataFrame, random: Any) -> None:
    order = random.sample(range(frame.height), frame.height)
    permuted = floats(values(name, frame[order], **parameters))
    np.testing.assert_allclose(permuted, floats(values(name, frame, **parameters))[order], rtol=1e-9, atol=1e-12)


@every_metric
def test_row_order_does_not_matter_in_a_large_table(name: str, parameters: dict[str, Any]) -> None:
    frame = random_table(seed=23, rows=2000)
    order = np.random.default_rng(24).permutation(2000)
    permuted = floats(values(name, frame[order], **parameters))
    np.testing.assert_allclose(permuted, floats(values(name, frame, **parameters))[order], rtol=1e-9, atol=1e-9)


@every_metric
@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_a_broken_input_nulls_its_row_and_no_other(name: str, parameters: dict[str, Any], broken: float | None) -> None:
    frame = random_table(seed=25, rows=6)
    for column in columns_of(name, parameters):
        cells = [float(value) for value in frame[column]]
        holed = frame.with_columns(pl.Series(column, [*cells[:2], broken, *cells[3:]], dtype=pl.Float64))
        got = values(name, holed, **parameters)
        assert [value is None for value in got] == [False, False, True, False, False, False], column


@every_metric
@examples
@given(tables(), st.data())
def test_never_nan_and_null_exactly_where_an_input_is_broken(
    name: str, parameters: dict[str, Any], frame: pl.DataFrame, data: st.DataObject
) -> None:
    broken_rows: set[int] = set()
    for column in columns_of(name, parameters):
        cells: list[float | None] = frame[column].to_list()
        for row in data.draw(st.sets(st.integers(0, frame.height - 1), max_size=2), label=column):
            cells[row] = data.draw(st.sampled_from(BROKEN))
            broken_rows.add(row)
        frame = frame.with_columns(pl.Series(column, cells, dtype=pl.Float64))
    got = values(name, frame, **parameters)
    assert {row for row, value in enumerate(got) if value is None} == broken_rows
    assert all(np.isfinite(value) for value in got if value is not None)


@every_metric
def test_a_table_of_nulls_stays_null(name: str, parameters: dict[str, Any]) -> None:
    columns = registry.columns_read(name, {name: parameters}, NOTHING_COMPLETE)
    assert values(name, {column: [None, None, None] for column in columns}, **parameters) == [None] * 3


@every_metric
def test_an_empty_table_gives_no_values(name: str, parameters: dict[str, Any]) -> None:
    assert values(name, random_table(seed=26, rows=1).head(0), **parameters) == []


@every_metric
def test_columns_read_suffice(name: str, parameters: dict[str, Any]) -> None:
    frame = random_table(seed=27, rows=8)
    needed = frame.select(registry.columns_read(name, {name: parameters}, NOTHING_COMPLETE))
    assert values(name, needed, **parameters) == values(name, frame, **parameters)
    column, _ = registry.compute(name, needed, {name: parameters}, NOTHING_COMPLETE)
    assert (column.name, column.dtype) == (name, pl.Float64)


@every_metric
def test_only_a_population_metric_looks_at_other_rows(name: str, parameters: dict[str, Any]) -> None:
    frame = random_table(seed=28, rows=60)
    among_all = floats(values(name, frame, **parameters)[:3])
    by_themselves = floats(values(name, frame.head(3), **parameters))
    same = np.allclose(among_all, by_themselves, rtol=1e-12, atol=0)
    of_the_population = registry.depends_on_population(name, {name: parameters}, NOTHING_COMPLETE)
    # the flag belongs to the metric, not to its form, so that the raw form carries it without need
    assert same == (not of_the_population or parameters.get("form") == "raw")


@every_metric
@examples
@given(tables(), st.lists(st.integers(0, 64), min_size=3, max_size=3).map(sorted))
def test_a_value_lies_between_those_of_a_smaller_and_a_larger_edit_distance(
    name: str, parameters: dict[str, Any], frame: pl.DataFrame, distances: list[int]
) -> None:
    if not registry.bounded_by_edit(name, {name: parameters}, NOTHING_COMPLETE):
        return
    near, between, far = (
        floats(
            values(name, frame.with_columns(edit_distance=pl.lit(d), edit_distance_norm=pl.lit(d / 64)), **parameters)
        )
        for d in distances
    )
    assert (np.minimum(near, far) <= between).all()
    assert (between <= np.maximum(near, far)).all()


@every_metric
def test_every_metric_that_reads_the_edit_distance_is_bounded_by_it(name: str, parameters: dict[str, Any]) -> None:
    if registry.reads_edit(name, {name: parameters}, NOTHING_COMPLETE):
        assert registry.bounded_by_edit(name, {name: parameters}, NOTHING_COMPLETE)


def test_every_metric_of_the_issue_takes_part() -> None:
    assert {name for name, _ in CASES} == ISSUE_LIST
