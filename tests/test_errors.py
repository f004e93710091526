import pickle

import pytest

from curate.errors import CurateError, InputError, MissingExtra, ModelError, SettingsError, StoreError


@pytest.mark.parametrize("kind", [CurateError, InputError, ModelError, SettingsError, StoreError])
def test_an_error_comes_out_of_another_process_as_it_went_in(kind):
    error = pickle.loads(pickle.dumps(kind("what", "where", "hint")))
    assert type(error) is kind
    assert (error.what, error.where, error.hint, error.args) == ("what", "where", "hint", ("what",))


def test_so_does_one_that_is_made_otherwise():
    error = MissingExtra("ray", "ray")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
