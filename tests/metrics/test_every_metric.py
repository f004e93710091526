"""What holds for every metric of the catalogue, with every variant that reads other columns."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import SettingsError
from curate.metrics import registry

from .tables import CASES, LISTS, choices, few, floats, other_values, random_table, refused, tables, values

PRESENT = frozenset(random_table(seed=0, rows=1).columns)
every_metric = pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
BOUNDED = [(name, given) for name, given in CASES if registry.bounded_by_edit(name, {name: given}, PRESENT)]
BROKEN = [None, float("nan"), float("inf"), float("-inf")]


def columns_of(name: str, parameters: dict[str, Any]) -> tuple[str, ...]:
    """The columns that decide a value; bees with sources asks for the combined reward but does not use it."""
    read = registry.columns_read(name, {name: parameters}, PRESENT)
    unused = ("chosen_reward", "rejected_reward") if "sources" in parameters else ()
    return tuple(column for column in read if column not in unused)


@every_metric
@few
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
@few
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


def measurements(name: str, parameters: dict[str, Any], rows: int) -> pl.DataFrame:
    """The columns that the metric reads, and no others."""
    return random_table(seed=26, rows=rows).select(registry.columns_read(name, {name: parameters}, PRESENT))


@every_metric
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("nothing", BROKEN, ids=str)
def test_a_table_of_nothing_stays_null(name: str, parameters: dict[str, Any], nothing: float | None, rows: int) -> None:
    columns = measurements(name, parameters, rows).columns
    typed = pl.DataFrame({column: pl.Series([nothing] * rows, dtype=pl.Float64) for column in columns})
    assert values(name, typed, **parameters) == [None] * rows
    assert values(name, {column: [None] * rows for column in columns}, **parameters) == [None] * rows


@every_metric
def test_a_column_of_nulls_throughout_leaves_nulls(name: str, parameters: dict[str, Any]) -> None:
    frame = measurements(name, parameters, 5)
    for column in columns_of(name, parameters):
        holed = frame.with_columns(pl.lit(None, frame[column].dtype).alias(column))
        assert values(name, holed, **parameters) == [None] * 5, column


@every_metric
def test_columns_of_which_no_row_has_all_leave_nulls(name: str, parameters: dict[str, Any]) -> None:
    frame = measurements(name, parameters, 2).with_row_index("row")
    first = columns_of(name, parameters)[0]
    has_first = pl.col("row") == 0
    cells = [pl.when(has_first == (column == first)).then(pl.col(column)) for column in frame.columns[1:]]
    assert values(name, frame.select(cells), **parameters) == [None, None]


@every_metric
def test_an_empty_table_gives_no_values(name: str, parameters: dict[str, Any]) -> None:
    for frame in (random_table(seed=26, rows=1).head(0), measurements(name, parameters, 1).head(0)):
        assert values(name, frame, **parameters) == []


@every_metric
def test_one_row_has_a_value(name: str, parameters: dict[str, Any]) -> None:
    (value,) = values(name, measurements(name, parameters, 1), **parameters)
    assert value is not None and np.isfinite(value)


@every_metric
def test_equal_rows_have_equal_values(name: str, parameters: dict[str, Any]) -> None:
    frame = measurements(name, parameters, 1)
    found = values(name, pl.concat([frame] * 40), **parameters)
    assert len(found) == 40 and len(set(found)) == 1 and found[0] is not None
    same = frame.with_columns(pl.lit(0.5).alias(column) for column in frame.columns)
    assert len(set(values(name, pl.concat([same] * 40), **parameters))) == 1


@every_metric
def test_columns_read_suffice(name: str, parameters: dict[str, Any]) -> None:
    frame = random_table(seed=27, rows=8)
    needed = frame.select(registry.columns_read(name, {name: parameters}, PRESENT))
    assert values(name, needed, **parameters) == values(name, frame, **parameters)
    column, _ = registry.compute(name, needed, {name: parameters})
    assert (column.name, column.dtype) == (name, pl.Float64)


@every_metric
def test_only_a_population_metric_looks_at_other_rows(name: str, parameters: dict[str, Any]) -> None:
    frame = random_table(seed=28, rows=60)
    among_all = floats(values(name, frame, **parameters))
    by_themselves = [floats(values(name, frame[i : i + 3], **parameters)) for i in range(0, 60, 3)]
    same = np.allclose(among_all, np.concatenate(by_themselves), rtol=1e-12, atol=0)
    of_the_population = registry.depends_on_population(name, {name: parameters}, PRESENT)
    # the flag belongs to the metric, not to its form, so that the raw form carries it without need
    assert same == (not of_the_population or parameters.get("form") == "raw")


@pytest.mark.parametrize(("name", "parameters"), BOUNDED, ids=str)
@few
@given(tables(), st.lists(st.integers(0, 64), min_size=3, max_size=3).map(sorted))
def test_a_value_lies_between_those_of_a_smaller_and_a_larger_edit_distance(
    name: str, parameters: dict[str, Any], frame: pl.DataFrame, distances: list[int]
) -> None:
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
    if registry.reads_edit(name, {name: parameters}, PRESENT):
        assert registry.bounded_by_edit(name, {name: parameters}, PRESENT)


def test_every_list_of_names_is_tried() -> None:
    """A parameter that is a list is in no case unless someone says what may be in it."""
    lists = {
        f"{one.name}.{field.alias}"
        for one in registry.all_metrics().values()
        for field in one.model.model_fields.values()
        if isinstance(field.default, tuple)
    }
    assert lists == set(LISTS)


@every_metric
def test_a_parameter_changes_values_or_is_refused(name: str, parameters: dict[str, Any]) -> None:
    frame, one = random_table(seed=29, rows=80), registry.find(name)
    now = one.resolve(one.parameters(parameters), PRESENT)
    before = floats(values(name, frame, **parameters))
    for key, field in one.model.model_fields.items():
        for value in other_values(name, field, now[key]):
            given = {**parameters, str(field.alias): value}
            if not refused(one, given):
                assert not np.array_equal(floats(values(name, frame, **given)), before, equal_nan=True), given
            elif key not in parameters and not choices(name, field):
                assert not moves(one, frame, {**now, key: value}, before), f"{given} is refused, and would count"


def moves(one: registry.Metric, frame: pl.DataFrame, parameters: dict[str, Any], before: np.ndarray) -> bool:
    """Whether the function gives other values with these parameters, whoever would be allowed to set them."""

    def column(wanted: str) -> pl.Series:
        known = wanted in registry.all_metrics()
        return registry.compute(wanted, frame, {})[0] if known else registry.as_numbers(frame[wanted])

    extra = {"measured": {wanted: column(wanted) for wanted in one.needs(parameters)}} if one.needs(parameters) else {}
    found = one.function(*(column(wanted) for wanted in one.columns), **extra, **parameters)
    return not np.array_equal(floats(found.to_list()), before, equal_nan=True)


def test_a_parameter_that_a_form_ignores_is_refused_and_not_shown() -> None:
    frame = random_table(seed=30, rows=9)
    for parameter, value, form in (("implicit", "dpo", "raw"), ("beta", 3.0, "raw"), ("weight", 2.5, "zscore")):
        other = "zscore" if form == "raw" else "raw"
        with pytest.raises(SettingsError) as error:
            values("alignment_potential", frame, form=other, **{parameter: value})
        assert error.value.what == f"alignment_potential.{parameter} changes nothing where form is {other}."
        assert error.value.where == f"--set alignment_potential.{parameter}={value}"
        assert error.value.hint == f"Leave it out, or add --set alignment_potential.form={form}."
        for asked, shown in ((other, False), (form, True)):
            used = registry.compute("alignment_potential", frame, {"alignment_potential": {"form": asked}})[1]
            assert (parameter in used) == shown
