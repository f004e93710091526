"""An option is stated once; these hold its other spellings against the statement."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.cli.command import in_order, parameter
from curate.errors import FLAGS, SettingsError, as_option
from curate.jobs import JOBS, job
from curate.settings import PairSettings, ScoreSettings, SelectSettings, flags, for_manifest, make

SETTINGS = [job(name).settings for name in JOBS]
FIELDS = [(kind, name) for kind in SETTINGS for name in kind.model_fields]


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_every_setting_says_what_it_does(kind, name):
    assert kind.model_fields[name].description


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in FIELDS if name != "data"])
def test_errors_spell_a_setting_as_the_command_line_does(kind, name):
    assert as_option(name) in flags(kind, name)


def test_no_other_spelling_is_left_over():
    assert set(FLAGS) <= {name for _, name in FIELDS}


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_command_line_has_every_setting(kind):
    assert set(in_order(kind)) == set(kind.model_fields)
    assert next(parameter(kind, name, None).name for name in in_order(kind)) == "data"


def test_what_says_only_where_is_not_in_the_manifest():
    given = {"data": ("a",), "out": "o.parquet", "workers": 3, "policy": "m", "max_length": 7, "chat_template": "t"}
    assert for_manifest(make(ScoreSettings, given), defaults=False) == {"max_length": 7}


def test_an_unknown_setting_is_refused_with_a_guess():
    with pytest.raises(SettingsError) as raised:
        make(SelectSettings, {"data": ("a",), "out": Path("o"), "botom": "3"})
    assert raised.value.setting == "botom" and "bottom" in raised.value.hint


def test_a_value_given_as_a_setting_names_the_setting_that_takes_it():
    with pytest.raises(SettingsError) as caught:
        make(PairSettings, {"best_of_n2": True})
    assert caught.value.hint == (
        "It is a value of another setting: --strategy=best-of-n2, which is the default, so leave it out."
    )
    with pytest.raises(SettingsError) as caught:
        make(PairSettings, {"max_min": True})
    assert caught.value.hint == "It is a value of another setting: --strategy=max-min."
