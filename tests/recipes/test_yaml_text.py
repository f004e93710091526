import pytest

from curate.errors import SettingsError
from curate.recipes.yaml_text import parse_yaml

TEXT = """\
name: x
number: 2502.14560
share: 10%
answer: no
nothing: null
also nothing:
quoted null: "null"
inner:
  - a
  - {b: 1e3}
"""


def test_scalars_stay_the_text_that_was_written():
    assert parse_yaml(TEXT, "r.yaml").value == {
        "name": "x",
        "number": "2502.14560",
        "share": "10%",
        "answer": "no",
        "nothing": None,
        "also nothing": None,
        "quoted null": "null",
        "inner": ["a", {"b": "1e3"}],
    }


def test_every_entry_has_its_line():
    document = parse_yaml(TEXT, "r.yaml")
    assert document.line(("share",)) == 3
    assert document.line(("inner",)) == 8
    assert document.line(("inner", 0)) == 9
    assert document.line(("inner", 1, "b")) == 10
    # what is not there has the line of what is around it
    assert document.line(("inner", 1, "c")) == 10


def test_an_empty_text_is_nothing():
    assert parse_yaml("", "r.yaml").value is None


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("a: 1\nb: [1, 2\n", "line 3", "YAML"),
        ("a: b: c\n", "line 1", "YAML"),
        ("a: 1\n---\nb: 2\n", "line 2", "YAML"),
        ("a: 1\nb: 2\na: 3\n", "line 3", "twice"),
        ("a: &x 1\nb: *x\n", "line 1", "anchors"),
        ("a: &x [1]\nb: [*x, *x]\n", "line 1", "anchors"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", "line 2", "plain values"),
        ("a: !secret x\n", "line 1", "plain values"),
        ("a: !!binary aGk=\n", "line 1", "plain values"),
        ("a:\n  <<: {b: 1}\n", "line 2", "plain word"),
        ("[1, 2]: a\n", "line 1", "plain word"),
        ("\ta: 1\n", "line 1", "YAML"),
        ("[" * 3000, "r.yaml", "YAML"),
        ("a" * 1_000_001, "r.yaml", "large"),
    ],
)
def test_anything_but_plain_values_is_refused_with_its_line(text, where, told):
    with pytest.raises(SettingsError) as caught:
        parse_yaml(text, "r.yaml")
    assert told in caught.value.what
    assert where in caught.value.where
    assert caught.value.hint
