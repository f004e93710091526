from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from curate.errors import SettingsError
from curate.registry import (
    CommaList,
    Finite,
    NonNegativeFloat,
    PositiveFloat,
    applicable,
    check_parameters,
    parameter_model,
    positional_names,
)


def example(
    a: int,
    measured: int,
    *,
    size: PositiveFloat = 1.0,
    lambda_: NonNegativeFloat = 2.0,
    names: CommaList = ("x",),
    batch: Annotated[int, Field(ge=2)] | Literal["all"] = "all",
) -> None: ...


def check(given):
    return check_parameters("example", parameter_model(example), given, "the hint")


def test_positional_and_keyword_arguments_are_told_apart():
    assert positional_names(example) == ("a", "measured")
    assert list(parameter_model(example).model_fields) == ["size", "lambda_", "names", "batch"]
    assert issubclass(parameter_model(example), BaseModel)


def test_defaults_complete_what_is_given():
    assert check({}) == {"size": 1.0, "lambda_": 2.0, "names": ("x",), "batch": "all"}


def test_text_becomes_the_declared_type():
    found = check({"size": "3", "lambda": "0", "names": "a, b,,c ", "batch": "64"})
    assert found == {"size": 3.0, "lambda_": 0.0, "names": ("a", "b", "c"), "batch": 64}
    assert [type(value) for value in found.values()] == [float, float, tuple, int]
    assert check({"names": ["a", "b"]})["names"] == ("a", "b")


@pytest.mark.parametrize("name", ["lambda_", "a", "measured", "Size", ""])
def test_only_keyword_arguments_by_their_spelled_name_are_parameters(name):
    with pytest.raises(SettingsError, match="example has no parameter") as error:
        check({name: 1})
    assert error.value.where == f"--set example.{name}"


def test_the_nearest_parameter_is_suggested():
    with pytest.raises(SettingsError) as error:
        check({"lamda": 1})
    assert error.value.hint == "Did you mean lambda?"


def test_an_owner_without_parameters_says_so():
    with pytest.raises(SettingsError) as error:
        check_parameters("bare", parameter_model(lambda x: x), {"size": 1}, "")
    assert error.value.hint == "bare has no parameters."


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", "0"), ("size", "inf"), ("size", "nan"), ("lambda", "-1"), ("batch", "1"), ("batch", "")],
)
def test_a_bad_value_is_named_with_its_option_and_hint(name, value):
    with pytest.raises(SettingsError) as error:
        check({name: value})
    assert error.value.what.startswith(f"example.{name} cannot be {value!r}: ")
    assert (error.value.where, error.value.hint) == (f"--set example.{name}={value}", "the hint")


def test_what_would_change_nothing_is_refused_and_left_out():
    model = parameter_model(example)
    applies = {"lambda": {"batch": "all"}, "sigma": "it cancels"}

    def checked(given):
        return check_parameters("example", model, given, "the hint", applies)

    assert checked({"lambda": "3"})["lambda_"] == 3.0
    with pytest.raises(SettingsError) as error:
        checked({"lambda": "3", "batch": "4"})
    assert error.value.what == "example.lambda changes nothing where batch is 4."
    assert error.value.where == "--set example.lambda=3"
    assert error.value.hint == "Leave it out, or add --set example.batch=all."
    # Said as it is, it misleads nobody.
    assert checked({"lambda": "2.0", "batch": "4"})["batch"] == 4
    with pytest.raises(SettingsError, match=r"example\.sigma changes nothing: it cancels") as error:
        checked({"sigma": 1})
    assert error.value.where == "--set example.sigma=1"
    assert applicable(checked({"batch": "4"}), applies) == {"size": 1.0, "names": ("x",), "batch": 4}
    assert applicable(checked({}), applies) == checked({})


def test_a_model_is_frozen():
    model = parameter_model(example)()
    with pytest.raises(ValidationError):
        model.size = 2.0


@pytest.mark.parametrize("kind", [PositiveFloat, NonNegativeFloat, Finite])
@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "x", None])
def test_numbers_are_finite(kind, value):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


def test_where_zero_and_below_are_allowed():
    assert [TypeAdapter(kind).validate_python("0") for kind in (NonNegativeFloat, Finite)] == [0.0, 0.0]
    assert TypeAdapter(Finite).validate_python("-2.5") == -2.5
