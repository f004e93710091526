"""What holds for every method, in every form that reads other columns."""

import inspect

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import SettingsError
from curate.weighing.registry import all_methods, batches, columns_needed, find_method
from tests.metrics.tables import few, random_table

from .plain import CASES, INPUTS, columns, inputs_of

DTYPES = {
    "gamma_po": {"gamma_po_margin": pl.Float64, "target_margin": pl.Float64},
    "madpo": {"madpo_weight": pl.Float64, "madpo_reverted": pl.Boolean, "weight": pl.Float64},
    "amapo": {"amapo_margin": pl.Float64, "target_margin": pl.Float64},
    "bpo": {"bpo_margin": pl.Float64, "bpo_binding": pl.String, "chosen_degraded": pl.Boolean},
    "repo": {"repo_gap": pl.Float64, "repo_active": pl.Boolean, "weight": pl.Float64},
    "beta_dpo": {"beta_dpo_weight": pl.Float64, "weight": pl.Float64},
}
TWINS = {
    "gamma_po": ("target_margin", "gamma_po_margin"),
    "madpo": ("weight", "madpo_weight"),
    "amapo": ("target_margin", "amapo_margin"),
    "repo": ("weight", "repo_active"),
    "beta_dpo": ("weight", "beta_dpo_weight"),
}
BROKEN = [None, float("nan"), float("inf"), float("-inf")]
every_case = pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
every_method = pytest.mark.parametrize("name", DTYPES)


def same(found, wanted):
    if wanted.dtype == pl.Float64:
        np.testing.assert_allclose(found.to_numpy(), wanted.to_numpy(), rtol=1e-9, atol=1e-12)
    else:
        assert found.to_list() == wanted.to_list()


def test_the_room():
    assert set(all_methods()) == set(DTYPES)


@every_method
def test_the_docstring_has_meaning_formula_and_source(name):
    blocks = inspect.cleandoc(find_method(name).function.__doc__).split("\n\n")
    assert find_method(name).meaning == blocks[0].replace("\n", " ") != ""
    for title in ("Formula:", "Source:"):
        assert [block for block in blocks if block.startswith(title) and len(block) > len(title) + 10], title


@every_case
def test_columns_and_their_types(name, parameters):
    made = columns(name, random_table(seed=1, rows=9), **parameters)
    assert {key: values.dtype for key, values in made.items()} == DTYPES[name]
    assert all(values.name == key and len(values) == 9 for key, values in made.items())
    assert all(values.null_count() == 0 for values in made.values())


@pytest.mark.parametrize("name", TWINS)
def test_the_generic_twin_is_equal(name):
    made = columns(name, random_table(seed=2, rows=9))
    twin, own = TWINS[name]
    assert made[twin].to_list() == made[own].cast(pl.Float64).to_list()


@every_case
@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_a_broken_input_nulls_its_row_in_every_column_and_moves_no_other(name, parameters, broken):
    frame = random_table(seed=3, rows=11)
    wanted = columns(name, frame.with_row_index("row").filter(pl.col("row") != 2).drop("row"), **parameters)
    for column in inputs_of(name, parameters):
        cells = [float(value) for value in frame[column]]
        holed = frame.with_columns(pl.Series(column, [*cells[:2], broken, *cells[3:]], dtype=pl.Float64))
        for key, values in columns(name, holed, **parameters).items():
            assert [row for row, value in enumerate(values.to_list()) if value is None] == [2], (column, key)
            same(values.drop_nulls(), wanted[key])


@pytest.mark.parametrize("logps", [0.0, -1.0])
@pytest.mark.parametrize("name", ["gamma_po", "amapo", "repo"])
def test_a_response_without_tokens_nulls_its_row_in_every_column_and_moves_no_other(name, logps):
    frame = random_table(seed=3, rows=6)
    tokens, chosen = frame["chosen_tokens"].to_list(), frame["policy_chosen_logps"].to_list()
    tokens[2], chosen[2] = 0, logps
    wanted = columns(name, pl.concat([frame[:2], frame[3:]]))
    frame = frame.with_columns(chosen_tokens=pl.Series(tokens), policy_chosen_logps=pl.Series(chosen))
    with np.errstate(all="ignore"):
        made = columns(name, frame)
    for key, values in made.items():
        assert [row for row, value in enumerate(values.to_list()) if value is None] == [2], key
        same(values.drop_nulls(), wanted[key])


@every_case
def test_swapping_rows_swaps_their_values(name, parameters):
    frame = random_table(seed=4, rows=50)
    order = np.random.default_rng(5).permutation(50)
    whole = {**parameters, "batch": "all"} if "batch" in find_method(name).model.model_fields else parameters
    before, after = columns(name, frame, **whole), columns(name, frame[order], **whole)
    for key, values in after.items():
        same(values, before[key][order])


@pytest.mark.parametrize("name", list(DTYPES))
def test_a_table_of_nulls_stays_null_and_keeps_its_types(name):
    frame = pl.DataFrame({column: pl.Series([None] * 3, dtype=pl.Float64) for column in INPUTS[name]})
    made = columns(name, frame)
    assert {key: values.dtype for key, values in made.items()} == DTYPES[name]
    assert all(values.to_list() == [None] * 3 for values in made.values())


@pytest.mark.parametrize("name", list(DTYPES))
def test_an_empty_table_gives_no_values(name):
    made = columns(name, random_table(seed=6, rows=1).head(0))
    assert {key: (values.dtype, len(values)) for key, values in made.items()} == {
        key: (dtype, 0) for key, dtype in DTYPES[name].items()
    }


@every_case
def test_the_columns_needed_suffice(name, parameters):
    chosen = find_method(name)
    frame = random_table(seed=7, rows=5)
    needed = columns_needed(chosen, chosen.parameters(parameters, None), frame.columns)
    assert set(needed) == set(inputs_of(name, parameters))
    made = columns(name, frame.select(needed), **parameters)
    for key, values in columns(name, frame, **parameters).items():
        same(made[key], values)


@every_method
def test_a_missing_column_is_named(name):
    chosen = find_method(name)
    for missing in INPUTS[name]:
        present = [column for column in INPUTS[name] if column != missing]
        with pytest.raises(SettingsError, match=f"needs the column {missing}"):
            columns_needed(chosen, chosen.parameters({}, None), present)


@every_method
def test_hyphens_and_underscores_spell_the_same_method(name):
    assert find_method(name.replace("_", "-")) is find_method(name)


@pytest.mark.parametrize(("name", "hint"), [("gama-po", "gamma-po"), ("", "Known"), ("dpo", "bpo")])
def test_an_unknown_method_is_refused(name, hint):
    with pytest.raises(SettingsError, match="no method") as error:
        find_method(name)
    assert hint in error.value.hint


@every_method
def test_an_unknown_preset_is_refused(name):
    with pytest.raises(SettingsError, match="has no preset llama-9") as error:
        find_method(name).parameters({}, "llama-9")
    assert error.value.where == "--preset llama-9"
    known = find_method(name).presets
    assert all(preset in error.value.hint for preset in known if preset == "llama-3-8b-it") and error.value.hint


@every_method
def test_an_unknown_parameter_is_refused(name):
    with pytest.raises(SettingsError, match=f"{name} has no parameter gama"):
        find_method(name).parameters({"gama": "1"}, None)


@every_method
def test_every_preset_has_valid_values_that_given_ones_replace(name):
    chosen = find_method(name)
    for preset, values in chosen.presets.items():
        assert chosen.parameters({}, preset) == {**chosen.parameters({}, None), **values}
        for parameter in values:
            assert chosen.parameters({parameter: "0.125"}, preset)[parameter] == 0.125


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("gamma_po", "tau", "0"),
        ("gamma_po", "beta", "inf"),
        ("gamma_po", "form", "ipo"),
        ("gamma_po", "batch", "1"),
        ("gamma_po", "batch", "some"),
        ("gamma_po", "steps", "0"),
        ("madpo", "c_max", "1"),
        ("madpo", "c_min", "1"),
        ("madpo", "c_min", "nan"),
        ("madpo", "lambda", "-1"),
        ("madpo", "tau", "-1"),
        ("amapo", "batch", "0"),
        ("bpo", "alpha", "0"),
        ("repo", "gamma", "nan"),
    ],
)
def test_a_value_out_of_range_is_refused(name, parameter, value):
    with pytest.raises(SettingsError, match=f"{name}.{parameter} cannot be '{value}'"):
        find_method(name).parameters({parameter: value}, None)


@few
@given(st.integers(1, 60), st.one_of(st.just("all"), st.integers(2, 70)))
def test_batches_are_consecutive_and_cover_every_row_once(rows, batch):
    parts = batches(rows, batch)
    sizes = [part.stop - part.start for part in parts]
    assert [row for part in parts for row in range(rows)[part]] == list(range(rows))
    assert rows == 1 or min(sizes) >= 2
    if batch == "all":
        assert sizes == [rows]
    else:
        assert all(size == batch for size in sizes[:-1])
        assert sizes[-1] <= batch + 1


@pytest.mark.parametrize("batch", ["all", 256])
def test_no_rows_are_no_batches(batch):
    assert batches(0, batch) == []


def test_a_row_left_over_joins_the_last_batch():
    assert batches(5, 2) == [slice(0, 2), slice(2, 5)]
    assert batches(6, 4) == [slice(0, 4), slice(4, 6)]
