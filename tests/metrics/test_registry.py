import dataclasses
import importlib
import inspect
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate.metrics
from curate.errors import SettingsError
from curate.metrics import registry
from curate.metrics.catalogue import installed

from .tables import NO_COLUMNS, few, random_table


def test_the_catalogue_is_in_order() -> None:
    assert list(registry.all_metrics()) == sorted(registry.all_metrics())


@pytest.mark.parametrize("name", sorted(registry.all_metrics()))
def test_every_metric_says_what_it_is(name: str) -> None:
    found = registry.find(name)
    assert found.name == name
    assert len(found.meaning) > 20
    assert not found.meaning.startswith(("Formula:", "Source:"))
    assert found.section("Formula")
    assert found.section("Source")
    assert "\n" not in found.meaning + found.section("Formula") + found.section("Source")
    assert found.section("No such section") == ""


@pytest.mark.parametrize("name", sorted(registry.all_metrics()))
def test_every_default_is_a_legal_value(name: str) -> None:
    found = registry.find(name)
    defaults = {
        p.name.rstrip("_"): p.default
        for p in inspect.signature(found.function).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    }
    assert found.parameters(defaults) == found.parameters({})


@pytest.mark.parametrize(
    ("name", "parameter", "default"),
    [
        ("dpo_margin", "beta", 0.1),
        ("simpo_margin", "beta", 1.0),
        ("dcrm", "distance", ("auto",)),
        ("dcrm", "eps", 1.0),
        ("dcrm", "scale", 1.0),
        ("alignment_potential", "form", "zscore"),
        ("alignment_potential", "weight", 1.0),
        ("bees", "low", -2.0),
        ("dual_margin_mul", "low", -2.0),
    ],
)
def test_the_defaults_are_those_of_the_spec(name: str, parameter: str, default: Any) -> None:
    assert registry.find(name).parameters({})[parameter] == default


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("reward_margn", "Did you mean reward_margin"),
        ("bee", "Did you mean bees?"),
        ("zzzzzz", "Known: air, "),
    ],
)
def test_an_unknown_metric_names_the_near_ones(wrong: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        registry.find(wrong)
    assert caught.value.what == f"There is no metric {wrong}."
    assert caught.value.hint.startswith(hint)
    assert caught.value.hint.endswith("See `curate metrics`.")


@pytest.mark.parametrize(
    ("name", "parameter", "hint"),
    [
        ("dcrm", "distanc", "Did you mean distance?"),
        ("dcrm", "gamma_ray", "Known: distance, eps, scale."),
        ("reward_margin", "beta", "reward_margin has no parameters."),
    ],
)
def test_an_unknown_parameter_names_the_near_ones(name: str, parameter: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        registry.check_options({name: {parameter: 1}})
    assert caught.value.what == f"{name} has no parameter {parameter}."
    assert caught.value.where == f"--set {name}.{parameter}"
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("dcrm", "eps", 0),
        ("dcrm", "eps", -1.0),
        ("dcrm", "scale", math.inf),
        ("dcrm", "scale", "nan"),
        ("dpo_margin", "beta", 0),
        ("dpo_margin", "beta", "a lot"),
        ("simpo_margin", "beta", -0.1),
        ("alignment_potential", "weight", -0.5),
        ("alignment_potential", "form", "ratio"),
        ("alignment_potential", "implicit", "kto"),
        ("bees", "low", math.nan),
        ("bees", "low", None),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, parameter: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        registry.check_options({name: {parameter: value}})
    assert caught.value.what.startswith(f"{name}.{parameter} cannot be {value!r}: ")
    assert caught.value.where == f"--set {name}.{parameter}={value}"
    assert f"curate metrics {name}" in caught.value.hint


def test_options_of_an_unknown_metric_are_refused() -> None:
    with pytest.raises(SettingsError, match="There is no metric dcrn"):
        registry.check_options({"dpo_margin": {"beta": 0.2}, "dcrn": {}})


def test_text_from_the_command_line_becomes_a_value() -> None:
    given_text = registry.find("dcrm").parameters({"eps": "0.5", "distance": " edit, logp ,"})
    assert given_text == {"eps": 0.5, "distance": ("edit", "logp"), "scale": 1.0}


def test_the_parameters_in_force_are_returned() -> None:
    frame = random_table(seed=29, rows=4)
    _, used = registry.compute("dcrm", frame, {"dcrm": {"eps": 0.5}, "dpo_margin": {"beta": 9}})
    assert used == {"distance": ("edit_count", "logp_sum"), "eps": 0.5, "scale": 1.0}
    without = frame.drop("ref_chosen_logps")
    _, used = registry.compute("dcrm", without, {"dcrm": {"distance": "auto"}})
    assert used["distance"] == ("edit_count",)
    _, used = registry.compute("dcrm", frame, {"dcrm": {"distance": "embedding"}})
    assert used["distance"] == ("embedding",)


def test_a_metric_that_cannot_bear_nulls_is_not_asked_about_a_column_of_nulls(monkeypatch: pytest.MonkeyPatch) -> None:
    @registry.metric(unit="", prefer="high", population=True)
    def above_median(reward_margin: pl.Series) -> pl.Series:
        """The median of nulls is None, and no float."""
        return (reward_margin > float(reward_margin.median())).cast(pl.Float64)  # type: ignore[arg-type]

    metrics = registry.all_metrics() | {"above_median": above_median}
    monkeypatch.setattr(registry, "all_metrics", lambda: metrics)
    frame = pl.DataFrame({"chosen_reward": [None, None], "rejected_reward": [1.0, 2.0]})
    assert registry.compute("above_median", frame, {})[0].to_list() == [None, None]
    assert registry.compute("above_median", frame.head(0), {})[0].to_list() == []
    assert registry.compute("above_median", frame.with_columns(chosen_reward=2.5), {})[0].to_list() == [1.0, 0.0]


def test_auto_decides_which_columns_are_read() -> None:
    rewards_and_edit = ("chosen_reward", "rejected_reward", "edit_distance")
    assert registry.columns_read("dcrm", {}, NO_COLUMNS) == rewards_and_edit
    reference = ("ref_chosen_logps", "ref_rejected_logps")
    assert registry.columns_read("dcrm", {}, frozenset(reference)) == (*rewards_and_edit, *reference)
    assert registry.taken_if_present("dcrm", {}, frozenset(reference)) == reference
    asked = {"dcrm": {"distance": "edit_count,logp_sum"}}
    assert registry.taken_if_present("dcrm", asked, frozenset(reference)) == ()


def test_a_metric_that_others_read_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, known = random_table(seed=31, rows=3), {}
    margin, calls = registry.find("reward_margin"), 0

    def counting(*columns: pl.Series) -> pl.Series:
        nonlocal calls
        calls += 1
        return margin.function(*columns)

    metrics = registry.all_metrics() | {"reward_margin": dataclasses.replace(margin, function=counting)}
    monkeypatch.setattr(registry, "all_metrics", lambda: metrics)
    for name in ("dcrm", "rm_agrees", "reward_margin", "bees"):
        registry.compute(name, frame, {}, known)
    assert calls == 1
    assert set(known) == {"dcrm", "rm_agrees", "reward_margin", "bees"}


def test_columns_read_resolves_metrics_into_measurements() -> None:
    assert registry.columns_read("rm_agrees", {}, NO_COLUMNS) == ("chosen_reward", "rejected_reward")
    assert set(registry.columns_read("bees", {"bees": {"sources": "a"}}, NO_COLUMNS)) == {
        *("chosen_reward_a", "rejected_reward_a"),
        *("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps"),
    }


@pytest.mark.parametrize(
    ("missing", "hint"),
    [
        ("chosen_reward", "--reward"),
        ("policy_rejected_logps", "--policy"),
        ("ref_chosen_logps", "--reference"),
    ],
)
def test_a_missing_measurement_says_how_to_get_it(missing: str, hint: str) -> None:
    frame = random_table(seed=30, rows=2).drop(missing)
    with pytest.raises(SettingsError) as caught:
        registry.compute("dual_margin_mul", frame, {})
    assert f"needs the column {missing}" in caught.value.what
    assert caught.value.where == f"column {missing}"
    assert hint in caught.value.hint


def test_scores_that_were_not_read_yet_are_named_with_the_command_that_reads_them() -> None:
    error = registry.missing_column("dcrm", "rejected_reward", ["prompt", "chosen", "score_chosen", "Score_Rejected"])
    assert error.where == "column rejected_reward; the nearest is Score_Rejected"
    assert error.hint == "Run `curate score` on the data first: it reads Score_Rejected."


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series("x", [1, None, -3], dtype=pl.Int32), [1.0, None, -3.0]),
        (pl.Series("x", [2**31, 0], dtype=pl.UInt32), [2147483648.0, 0.0]),
        (pl.Series("x", [0.5, math.nan, math.inf, -math.inf]), [0.5, None, None, None]),
        (pl.Series("x", [0.25], dtype=pl.Float32), [0.25]),
        (pl.Series("x", [True, False, None]), [1.0, 0.0, None]),
        (pl.Series("x", ["1.5", "-2", "nan", "inf", "good", "", None]), [1.5, -2.0, None, None, None, None, None]),
        (pl.Series("x", [None, None]), [None, None]),
        (pl.Series("x", [], dtype=pl.Int8), []),
    ],
    ids=["int", "uint", "float", "float32", "bool", "text", "all null", "empty"],
)
def test_as_numbers(column: pl.Series, expected: list[float | None]) -> None:
    numbers = registry.as_numbers(column)
    assert numbers.to_list() == expected
    assert (numbers.name, numbers.dtype) == ("x", pl.Float64)


@few
@given(st.lists(st.none() | st.floats(), max_size=20))
def test_as_numbers_keeps_the_finite_and_nothing_else(drawn: list[float | None]) -> None:
    expected = [value if value is not None and math.isfinite(value) else None for value in drawn]
    column = pl.Series("x", drawn, dtype=pl.Float64)
    assert registry.as_numbers(column).to_list() == expected
    assert registry.as_numbers(registry.as_numbers(column)).to_list() == expected


DROPPED = '''
"""A metric that arrives as one file."""

import polars as pl

from curate.metrics.registry import metric
from curate.registry import PositiveFloat


@metric(unit="times", prefer="low")
def dropped_in(reward_margin: pl.Series, chosen_tokens: pl.Series, *, lambda_: PositiveFloat = 2.0) -> pl.Series:
    """Reward per token, for this test only.

    Formula: lambda * reward_margin / n(y+)

    Source: none.
    """
    return lambda_ * reward_margin / chosen_tokens
'''


@pytest.fixture
def drop_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Writes a file into a folder that counts as part of curate.metrics, and takes it all back afterwards."""
    module = "dropped_in_by_a_test"

    def write(source: str) -> None:
        (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        monkeypatch.setattr(curate.metrics, "__path__", [*curate.metrics.__path__, str(tmp_path)])
        importlib.invalidate_caches()
        installed.cache_clear()

    yield write
    sys.modules.pop(f"curate.metrics.{module}", None)
    vars(curate.metrics).pop(module, None)
    monkeypatch.undo()
    installed.cache_clear()


def test_a_file_dropped_into_the_room_is_a_metric(drop_in: Callable[[str], None]) -> None:
    before = set(registry.all_metrics())
    assert "dropped_in" not in before
    drop_in(DROPPED)
    assert set(registry.all_metrics()) == before | {"dropped_in"}
    found = registry.find("dropped_in")
    assert (found.meaning, found.section("Source")) == ("Reward per token, for this test only.", "none.")
    assert (found.unit, found.prefer, found.population) == ("times", "low", False)
    # it reads another metric: 3 * (7 - 1) / 9 = 2; and users spell lambda_ as lambda
    frame = pl.DataFrame({"chosen_reward": [7.0], "rejected_reward": [1.0], "chosen_tokens": [9]})
    column, used = registry.compute("dropped_in", frame, {"dropped_in": {"lambda": 3}})
    assert (column.to_list(), used) == ([2.0], {"lambda": 3.0})
    with pytest.raises(SettingsError, match="no parameter lambda_"):
        registry.check_options({"dropped_in": {"lambda_": 3}})


def test_what_a_test_drops_in_does_not_stay() -> None:
    assert "dropped_in" not in registry.all_metrics()
    assert "curate.metrics.dropped_in_by_a_test" not in sys.modules
